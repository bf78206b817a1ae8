/** The known_hosts files of this machine: reading them, and adding a host. */
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  checkHostKey,
  formatKnownHost,
  type HostKeyVerdict,
  type KnownHost,
  parseKnownHosts,
} from './known-hosts-format.ts';

/** The files to consult, in order: `extra` (the local testbed's), the user's, the system's. */
export function knownHostsFiles(extra?: string): string[] {
  return [...(extra === undefined ? [] : [extra]), userKnownHostsFile(), '/etc/ssh/ssh_known_hosts'];
}

export function userKnownHostsFile(): string {
  return join(homedir(), '.ssh', 'known_hosts');
}

/** The entries of all files that exist. Throws the file system's error when one cannot be read. */
export function readKnownHosts(files: readonly string[]): KnownHost[] {
  return files.flatMap((file) => parseKnownHosts(readIfThere(file), file));
}

/** Whether the key that `host`:`port` shows is the one on file; a missing file is an empty one. */
export function verifyHostKey(files: readonly string[], host: string, port: number, key: Buffer): HostKeyVerdict {
  return checkHostKey(readKnownHosts(files), host, port, key);
}

/**
 * Appends the host's key to the file, which is created with its directory when missing. One write to a file opened for
 * appending, so that connections made at the same time, also by other processes, do not mix their lines.
 */
export function addHostKey(file: string, host: string, port: number, key: Buffer): void {
  const content = readIfThere(file);
  const newline = content === '' || content.endsWith('\n') ? '' : '\n';
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const descriptor = openSync(file, 'a', 0o600);
  try {
    writeSync(descriptor, newline + formatKnownHost(host, port, key));
  } finally {
    closeSync(descriptor);
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
