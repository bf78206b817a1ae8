/**
 * The token of a service on loopback, where every user of the machine can connect: it is made when the service starts, stands beside
 * the database in a file that only the service's user can read, and goes when the service ends. Who may read the file may also write
 * the database, so the file gives them nothing more than they have.
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

/** More than the longest token. */
export const maxLength = 4096;

/** By whatever path the database is named, its token is in one place. */
export function tokenPath(database: string): string {
  return `${existsSync(database) ? realpathSync(database) : database}.token`;
}

export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Puts the token into the file, mode 0600, in place of whatever has that name: a link is replaced, not followed. Throws VnmError
 * `failed`.
 */
export function writeToken(path: string, token: string): void {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    // Exclusive: a file or a link that is there already is an error.
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
      hint: 'move what is in the way, or give a token of your own with --token-file',
      cause,
    });
  }
}

/** Removes the file if that token is in it: another service may have put its own there. */
export function removeToken(path: string, token: string): void {
  try {
    if (readTokenFile(path) === token) rmSync(path);
  } catch {
    // It is another's, or gone.
  }
}

/** The token of the service on a database. Throws VnmError `not-found` when no service has left one, `forbidden` when it cannot be trusted. */
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
    if (!isFile) throw untrusted(path, 'it is no file');
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
      throw new VnmError('not-found', `no service has left a token in ${path}`, {
        hint: "'pl-vnm serve' makes one while it listens on loopback without --token-file",
        cause,
      });
    }
    const reason =
      code === 'ELOOP' ? 'it is a link' : code === 'EACCES' ? 'it belongs to another user' : messageOf(cause);
    throw untrusted(path, reason, cause);
  }
}

function untrusted(path: string, reason: string, cause?: unknown): VnmError {
  return new VnmError('forbidden', `cannot take the token of the service from ${path}: ${reason}`, {
    hint: 'run the command as the user of the service; its next start makes the file again',
    cause,
  });
}

/** What is in an open file, but never more than a token can have. */
function readShort(file: number): string {
  const buffer = Buffer.alloc(maxLength);
  let length = 0;
  for (let more = -1; more !== 0 && length < maxLength; length += more) {
    more = readSync(file, buffer, length, maxLength - length, null);
  }
  return buffer.toString('utf8', 0, length);
}
