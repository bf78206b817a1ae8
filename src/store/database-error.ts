/** What SQLite answers, in one line with what to do. */
import Database from 'better-sqlite3';
import { messageOf, VnmError } from '../model/errors.ts';

const { SqliteError } = Database;

/** In the order in which they are tried: beginnings of SQLite's extended codes. */
const kinds: readonly { codes: readonly string[]; what: string; hint: string }[] = [
  {
    codes: ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'SQLITE_IOERR_SHMMAP'],
    what: 'the disk is full',
    hint: 'make room on its disk and run the command again; what was written before is kept',
  },
  {
    codes: ['SQLITE_READONLY', 'SQLITE_PERM', 'SQLITE_AUTH'],
    what: 'it cannot be written',
    hint: 'make the file and its directory writable for you, or name another file with --db',
  },
  {
    codes: ['SQLITE_BUSY', 'SQLITE_LOCKED'],
    what: 'another process keeps it locked',
    hint: 'run the command again when that has ended',
  },
  {
    codes: ['SQLITE_NOTADB', 'SQLITE_CORRUPT'],
    what: 'it is damaged, or no database',
    hint: 'name another file with --db, or put a copy of it back',
  },
  {
    codes: ['SQLITE_IOERR', 'SQLITE_CANTOPEN', 'SQLITE_NOLFS'],
    what: 'it cannot be read or written',
    hint: 'check its disk, the path and its permissions, or name another file with --db',
  },
];

/** SQLite's own errors as VnmError `failed`; anything else as it is. */
export function asDatabaseError(error: unknown, path: string): unknown {
  if (!(error instanceof SqliteError)) return error;
  const kind = kinds.find(({ codes }) => codes.some((code) => error.code.startsWith(code)));
  // A broken rule of the schema is a fault of this program, and is shown as it is.
  if (kind === undefined) return error;
  return new VnmError('failed', `the database ${path} failed: ${kind.what} (${messageOf(error)})`, {
    hint: kind.hint,
    cause: error,
  });
}

export function isFullError(error: unknown): boolean {
  return error instanceof SqliteError && kinds[0]!.codes.includes(error.code);
}

/** Whether the database is what failed. */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof VnmError && error.cause instanceof SqliteError;
}

/** The same methods, which throw errors of SQLite as `asDatabaseError` words them. */
export function telling<T extends object>(methods: T, path: string): T {
  const entries = Object.entries(methods).map(([name, method]: [string, (...args: unknown[]) => unknown]) => {
    const told = (...args: unknown[]) => {
      try {
        return method(...args);
      } catch (error) {
        throw asDatabaseError(error, path);
      }
    };
    return [name, told];
  });
  return Object.fromEntries(entries) as T;
}
