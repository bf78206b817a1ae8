/** Reads the known_hosts files of this machine, and adds hosts. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { readBoundedText } from '../model/bounded-file.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { stateFolder } from '../model/user-folders.ts';
import {
  checkHostKey,
  findAuthority,
  formatKnownHost,
  type HostKeyVerdict,
  type KnownHost,
  parseKnownHosts,
} from './known-hosts-format.ts';

export const systemKnownHostsFile = '/etc/ssh/ssh_known_hosts';

export function userKnownHostsFile(): string {
  return join(homedir(), '.ssh', 'known_hosts');
}

/** The file for hosts of which the user's SSH configuration says that no key is kept. */
export function ownKnownHostsFile(): string {
  return join(stateFolder(), 'known_hosts');
}

/** Enough for some hundred thousand hosts. */
const maxBytes = 32 * 1024 * 1024;

/**
 * Returns the entries of all files that exist. Throws VnmError `unreachable` when one cannot be read: no host can be
 * trusted then.
 */
export function readKnownHosts(files: readonly string[]): KnownHost[] {
  return files.flatMap((file) => parseKnownHosts(readIfThere(file), file));
}

/** Checks the key that `host`:`port` shows; a missing file is an empty one. */
export function verifyHostKey(files: readonly string[], host: string, port: number, key: Buffer): HostKeyVerdict {
  return checkHostKey(readKnownHosts(files), host, port, key);
}

/** Returns where a certificate authority for the host is. */
export function authorityFor(
  files: readonly string[],
  host: string,
  port: number,
): { file: string; line: number } | undefined {
  for (const file of files) {
    const line = findAuthority(readIfThere(file), host, port);
    if (line !== undefined) return { file, line };
  }
  return undefined;
}

/**
 * Appends the host's key to the file, and creates the file and its directory when missing. Makes one write to a file
 * opened for appending, so that simultaneous connections, also of other processes, do not mix their lines.
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
    return readBoundedText(file, { maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new VnmError('unreachable', `cannot read the known hosts in ${file}: ${messageOf(error)}`, {
      hint: 'make it a readable file of host keys, or move it away',
      cause: error,
    });
  }
}
