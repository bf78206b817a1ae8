/** Key pairs of a testbed: one for its clients, one for each node. */
import { writeFile } from 'node:fs/promises';
import ssh2 from 'ssh2';

export interface KeyPair {
  /** OpenSSH's format. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA...` */
  readonly publicKey: string;
}

export function makeKeyPair(): KeyPair {
  const pair = ssh2.utils.generateKeyPairSync('ed25519');
  return { privateKey: pair.private, publicKey: pair.public.trim() };
}

export async function writePrivateKey(path: string, key: KeyPair): Promise<void> {
  await writeFile(path, key.privateKey, { mode: 0o600 });
}

/** A line of known_hosts for a server on loopback. */
export function knownHostLine(port: number, key: KeyPair): string {
  return `[127.0.0.1]:${port} ${key.publicKey}\n`;
}
