/**
 * The token of a service on loopback, where every user of the machine can connect. The service writes the token at its
 * start to a file next to the database that only its own user can read, and removes the file when it ends. A user who
 * can read the file can also write the database, so the file gives no further rights.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { messageOf, VnmError } from '../../model/errors.ts';

/** The most bytes read of a token file; the longest token is shorter. */
export const maxLength = 4096;

/** Returns the path of a database's token file, which is the same for every path that leads to the database. */
export function tokenPath(database: string): string {
  return `${existsSync(database) ? realpathSync(database) : database}.token`;
}

export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/** Writes the token file, mode 0600, over what is at that path; a link is not followed. Throws VnmError `failed`. */
export function writeToken(path: string, token: string): void {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    // Exclusive: fails if a file or a link already exists.
    const file = openSync(draft, 'wx', 0o600);
    try {
      writeSync(file, `${token}\n`);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw new VnmError('failed', `cannot write the token of the service to ${path}: ${messageOf(cause)}`, {
      hint: 'move what is at that path, or give your own token with --token-file',
      cause,
    });
  }
}

/** Removes the file if it holds that token: another service may have replaced it. */
export function removeToken(path: string, token: string): void {
  try {
    if (readTokenFile(path) === token) rmSync(path);
  } catch {
    // The file is another's, or gone.
  }
}

/** Reads the token of a database's service. Throws VnmError `not-found` without file, `forbidden` if it is unsafe. */
export function findToken(database: string): { token: string; file: string } {
  const file = tokenPath(database);
  return { token: readTokenFile(file), file };
}

function readTokenFile(path: string): string {
  const file = openToken(path);
  try {
    const { uid, mode } = fstatSync(file);
    const isFile = (mode & constants.S_IFMT) === constants.S_IFREG;
    const own = process.geteuid!();
    if (!isFile) throw untrusted(path, 'it is not a regular file');
    if (own !== 0 && uid !== own) throw untrusted(path, 'it belongs to another user');
    if ((mode & 0o077) !== 0) throw untrusted(path, 'others may read or write it');
    return readShort(file).trim();
  } finally {
    closeSync(file);
  }
}

function openToken(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      throw new VnmError('not-found', `there is no token file ${path}`, {
        hint: 'run `pl-vnm serve` on loopback without --token-file, which makes one',
        cause,
      });
    }
    const reason =
      code === 'ELOOP' ? 'it is a link' : code === 'EACCES' ? 'it belongs to another user' : messageOf(cause);
    throw untrusted(path, reason, cause);
  }
}

function untrusted(path: string, reason: string, cause?: unknown): VnmError {
  return new VnmError('forbidden', `cannot use the token file ${path}: ${reason}`, {
    hint: 'run the command as the user of the service, or restart the service to replace the file',
    cause,
  });
}

/** Reads an open file up to `maxLength` bytes. */
function readShort(file: number): string {
  const buffer = Buffer.alloc(maxLength);
  let length = 0;
  for (let more = -1; more !== 0 && length < maxLength; length += more) {
    more = readSync(file, buffer, length, maxLength - length, null);
  }
  return buffer.toString('utf8', 0, length);
}
