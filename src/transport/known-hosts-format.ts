/** Parses and matches the known_hosts format of OpenSSH (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), without any I/O. */
import { createHash, createHmac } from 'node:crypto';

/** One usable line of a known_hosts file. */
export interface KnownHost {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly revoked: boolean;
  /** The host field as written: a comma list of patterns, or one hashed name. */
  readonly hosts: string;
  readonly keyType: string;
  /** The public key as SSH sends it. */
  readonly key: Buffer;
}

export type HostKeyVerdict =
  | { readonly status: 'known' | 'unknown' }
  | { readonly status: 'changed' | 'revoked'; readonly file: string; readonly line: number };

/**
 * Returns the lines that hold a host key. Leaves out comments, certificate authorities and damaged lines, as OpenSSH
 * does.
 */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((line, index) => parseLine(line, file, index + 1) ?? []);
}

function parseLine(text: string, file: string, line: number): KnownHost | undefined {
  const fields = text.trim().split(/\s+/);
  const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined;
  const [hosts, keyType, encodedKey] = fields;
  if (hosts === undefined || hosts.startsWith('#') || keyType === undefined || encodedKey === undefined)
    return undefined;
  if (marker !== undefined && marker !== '@revoked') return undefined;
  const key = Buffer.from(encodedKey, 'base64');
  if (keyTypeOf(key) !== keyType) return undefined;
  return { file, line, revoked: marker === '@revoked', hosts, keyType, key };
}

/**
 * Returns what the entries say about a server's key. A host that is known only by other keys, of whichever type, has
 * changed: otherwise an attacker would only need to offer a type that known_hosts lacks.
 */
export function checkHostKey(entries: readonly KnownHost[], host: string, port: number, key: Buffer): HostKeyVerdict {
  const named = entries.filter((entry) => matchesHost(entry.hosts, hostLabel(host, port)));
  // As in OpenSSH, a key of the host without a port is valid for its other ports, too.
  const portless = entries.filter((entry) => matchesHost(entry.hosts, hostLabel(host, 22)));
  const same = [...named, ...portless].filter((entry) => entry.key.equals(key));
  const revoked = same.find((entry) => entry.revoked);
  if (revoked !== undefined) return { status: 'revoked', file: revoked.file, line: revoked.line };
  if (same.length > 0) return { status: 'known' };
  const other = named.find((entry) => !entry.revoked);
  return other === undefined ? { status: 'unknown' } : { status: 'changed', file: other.file, line: other.line };
}

const hostKeyAlgorithms = [
  { algorithm: 'ssh-ed25519', keyType: 'ssh-ed25519' },
  { algorithm: 'ecdsa-sha2-nistp256', keyType: 'ecdsa-sha2-nistp256' },
  { algorithm: 'ecdsa-sha2-nistp384', keyType: 'ecdsa-sha2-nistp384' },
  { algorithm: 'ecdsa-sha2-nistp521', keyType: 'ecdsa-sha2-nistp521' },
  { algorithm: 'rsa-sha2-512', keyType: 'ssh-rsa' },
  { algorithm: 'rsa-sha2-256', keyType: 'ssh-rsa' },
] as const;

export type HostKeyAlgorithm = (typeof hostKeyAlgorithms)[number]['algorithm'];

/**
 * Returns the host key algorithms to offer, first those of known keys: a server with several keys then shows a known
 * one.
 */
export function preferredAlgorithms(entries: readonly KnownHost[], host: string, port: number): HostKeyAlgorithm[] {
  const names = [hostLabel(host, port), hostLabel(host, 22)];
  const known = new Set(
    entries
      .filter((entry) => !entry.revoked && names.some((name) => matchesHost(entry.hosts, name)))
      .map((entry) => entry.keyType),
  );
  const first = hostKeyAlgorithms.filter(({ keyType }) => known.has(keyType));
  const rest = hostKeyAlgorithms.filter(({ keyType }) => !known.has(keyType));
  return [...first, ...rest].map(({ algorithm }) => algorithm);
}

/** Whether a key of the host is known. */
export function hasHostKey(entries: readonly KnownHost[], host: string, port: number): boolean {
  return entries.some((entry) => !entry.revoked && matchesHost(entry.hosts, hostLabel(host, port)));
}

/** Returns the line, from 1, of the first certificate authority for the host. */
export function findAuthority(text: string, host: string, port: number): number | undefined {
  const index = text.split('\n').findIndex((line) => {
    const [marker, hosts = ''] = line.trim().split(/\s+/);
    const names = [hostLabel(host, port), hostLabel(host, 22)];
    return marker === '@cert-authority' && names.some((name) => matchesHost(hosts, name));
  });
  return index === -1 ? undefined : index + 1;
}

/** Returns the line to append for a host and its key, with its newline. */
export function formatKnownHost(host: string, port: number, key: Buffer): string {
  return `${hostLabel(host, port)} ${keyTypeOf(key)} ${key.toString('base64')}\n`;
}

/** Returns the host as known_hosts writes it: `host`, or `[host]:port` when the port is not 22. */
export function hostLabel(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Returns `SHA256:...` as ssh and ssh-keygen print it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/**
 * Returns the type that a public key names itself (its first string, RFC 4253 section 6.6); empty when there is none.
 */
export function keyTypeOf(key: Buffer): string {
  if (key.length < 4) return '';
  return key.toString('latin1', 4, 4 + key.readUInt32BE(0));
}

function matchesHost(hosts: string, label: string): boolean {
  if (hosts.startsWith('|')) return matchesHashed(hosts, label);
  const patterns = hosts.toLowerCase().split(',');
  const negated = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  const positive = patterns.filter((pattern) => !pattern.startsWith('!'));
  return !negated.some((pattern) => glob(pattern, label)) && positive.some((pattern) => glob(pattern, label));
}

function matchesHashed(hosts: string, label: string): boolean {
  const [, kind, salt, hash] = hosts.split('|');
  if (kind !== '1' || salt === undefined || hash === undefined) return false;
  const expected = createHmac('sha1', Buffer.from(salt, 'base64')).update(label).digest();
  return expected.equals(Buffer.from(hash, 'base64'));
}

/** `*` stands for any characters, `?` for one. */
function glob(pattern: string, text: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === text;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(text);
}
