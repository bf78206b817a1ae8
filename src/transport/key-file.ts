/** Private key files in the formats that `ssh` accepts, for ssh2, which reads fewer of them. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import keyParser from 'ssh2/lib/protocol/keyParser.js';

export interface ParsedKeyFile {
  readonly key?: Buffer;
  /** Why there is no key, as in `is encrypted`. */
  readonly fault?: string;
  readonly hint?: string;
}

const strange: ParsedKeyFile = { fault: 'is not a private key' };

/** `content`: the file's bytes, one character each. */
export function parseKeyFile(content: string): ParsedKeyFile {
  // The file may come from a Windows editor, or lack the end of its last line.
  const text = `${content
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .replaceAll('\r\n', '\n')
    .trim()}\n`;
  if (/^(ssh-|ecdsa-|sk-)\S+ AAAA|^---- BEGIN SSH2 PUBLIC KEY|^-----BEGIN (RSA )?PUBLIC KEY/.test(text)) {
    return { fault: 'is a public key', hint: 'give the file of the private key, whose name does not end in .pub' };
  }
  if (text.startsWith('-----BEGIN ENCRYPTED PRIVATE KEY-----')) return { fault: 'is encrypted' };
  if (isOfToken(text)) {
    return {
      fault: 'is a FIDO key, which only its token can use',
      hint: "let the program ssh log in ('ssh: { transport: openssh }' in the slice file), or give another key that the node accepts",
    };
  }
  const key = text.startsWith('-----BEGIN PRIVATE KEY-----') ? fromPkcs8(text) : Buffer.from(text, 'latin1');
  if (key === undefined) return strange;
  const parsed = keyParser.parseKey(key);
  if (parsed instanceof Error)
    return parsed.message.includes('no passphrase given') ? { fault: 'is encrypted' } : strange;
  return parsed.isPrivateKey() ? { key } : strange;
}

/**
 * Returns the public key, as SSH sends it, of a file with a public or a private key in OpenSSH's formats, encrypted or
 * not. Undefined for other formats.
 */
export function publicPartOf(content: string): Buffer | undefined {
  const [, line] = /^(?:ssh-|ecdsa-|sk-)\S+ (AAAA[\w+/]+=*)/.exec(content.trim()) ?? [];
  if (line !== undefined) return Buffer.from(line, 'base64');
  const [, body] = /^-----BEGIN OPENSSH PRIVATE KEY-----\s+([\s\S]+?)\s+-----END/.exec(content.trim()) ?? [];
  if (body === undefined) return undefined;
  const bytes = Buffer.from(body, 'base64');
  let place = 'openssh-key-v1\0'.length;
  const next = (): Buffer => {
    const length = bytes.readUInt32BE(place);
    place += 4 + length;
    return bytes.subarray(place - length, place);
  };
  try {
    // Cipher, key derivation and its options, the number of keys (PROTOCOL.key of OpenSSH's sources).
    for (let skipped = 0; skipped < 3; skipped += 1) next();
    place += 4;
    return next();
  } catch {
    return undefined;
  }
}

function isOfToken(text: string): boolean {
  const [, body] = /^-----BEGIN OPENSSH PRIVATE KEY-----\n([\s\S]+)\n-----END/.exec(text) ?? [];
  return body !== undefined && /sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com/.test(atobBytes(body));
}

function atobBytes(text: string): string {
  return Buffer.from(text, 'base64').toString('latin1');
}

/** Converts PKCS #8, as `openssl` writes it, to a format that ssh2 reads; undefined for other kinds of keys. */
function fromPkcs8(text: string): Buffer | undefined {
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    return undefined;
  }
  if (key.asymmetricKeyType === 'rsa') return Buffer.from(key.export({ type: 'pkcs1', format: 'pem' }));
  if (key.asymmetricKeyType === 'ec') return Buffer.from(key.export({ type: 'sec1', format: 'pem' }));
  return key.asymmetricKeyType === 'ed25519' ? ed25519(key) : undefined;
}

/** Writes OpenSSH's own format (PROTOCOL.key of its sources). */
function ed25519(key: KeyObject): Buffer {
  const { x, d } = key.export({ format: 'jwk' });
  const [open, secret] = [Buffer.from(x!, 'base64url'), Buffer.from(d!, 'base64url')];
  const publicKey = Buffer.concat([string('ssh-ed25519'), string(open)]);
  const check = Buffer.alloc(8);
  const fields = Buffer.concat([check, publicKey, string(Buffer.concat([secret, open])), string('')]);
  const padding = Buffer.from(Array.from({ length: (8 - (fields.length % 8)) % 8 }, (_, index) => index + 1));
  const count = Buffer.from([0, 0, 0, 1]);
  const whole = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...[string('none'), string('none'), string(''), count, string(publicKey)],
    string(Buffer.concat([fields, padding])),
  ]);
  const lines = whole.toString('base64').replaceAll(/.{70}/g, '$&\n');
  return Buffer.from(`-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`);
}

function string(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
