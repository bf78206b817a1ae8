/** Key pairs of a testbed: one for its clients, one for each node. */
import { writeFile } from 'node:fs/promises';
import keygen from 'ssh2/lib/keygen.js';
import keyParser from 'ssh2/lib/protocol/keyParser.js';

export interface KeyPair {
  /** In OpenSSH's format. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA...` */
  readonly publicKey: string;
}

/**
 * Makes a new Ed25519 key pair. ssh2 1.17 strips a zero byte at the start of a public key, one time in 256, and then no
 * program can read the pair (mscdex/ssh2 issue 1390); such a pair is discarded.
 */
export function makeKeyPair(): KeyPair {
  for (;;) {
    const pair = keygen.generateKeyPairSync('ed25519');
    const unreadable = [pair.private, pair.public].some((key) => keyParser.parseKey(key) instanceof Error);
    if (!unreadable) return { privateKey: pair.private, publicKey: pair.public.trim() };
  }
}

export async function writePrivateKey(path: string, key: KeyPair): Promise<void> {
  await writeFile(path, key.privateKey, { mode: 0o600 });
}

/** Returns a line of known_hosts for a server on loopback. */
export function knownHostLine(port: number, key: KeyPair): string {
  return `[127.0.0.1]:${port} ${key.publicKey}\n`;
}
