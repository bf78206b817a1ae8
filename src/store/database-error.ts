/** Translates errors of SQLite to one line with a hint. */
import Database from 'better-sqlite3';
import { messageOf, VnmError } from '../model/errors.ts';

const { SqliteError } = Database;

/** The kinds of errors, by prefixes of SQLite's extended codes; the first match counts. */
const kinds: readonly { codes: readonly string[]; what: string; hint: string }[] = [
  {
    codes: ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'SQLITE_IOERR_SHMMAP'],
    what: 'the disk is full',
    hint: 'free space on its disk and run the command again; everything written before is kept',
  },
  {
    codes: ['SQLITE_READONLY', 'SQLITE_PERM', 'SQLITE_AUTH'],
    what: 'it cannot be written',
    hint: 'make the file and its directory writable for you, or choose another file with --db',
  },
  {
    codes: ['SQLITE_BUSY', 'SQLITE_LOCKED'],
    what: 'another process has locked it',
    hint: 'run the command again when that process has ended',
  },
  {
    codes: ['SQLITE_NOTADB', 'SQLITE_CORRUPT'],
    what: 'it is damaged, or not a database',
    hint: 'choose another file with --db, or restore a copy',
  },
  {
    codes: ['SQLITE_IOERR', 'SQLITE_CANTOPEN', 'SQLITE_NOLFS'],
    what: 'it cannot be read or written',
    hint: 'check its disk, the path and its permissions, or choose another file with --db',
  },
];

/** Converts an error of SQLite to VnmError `failed`; returns any other error unchanged. */
export function asDatabaseError(error: unknown, path: string): unknown {
  if (!(error instanceof SqliteError)) return error;
  const kind = kinds.find(({ codes }) => codes.some((code) => error.code.startsWith(code)));
  // A violated constraint of the schema is a bug in this program, and is shown unchanged.
  if (kind === undefined) return error;
  return new VnmError('failed', `the database ${path} failed: ${kind.what} (${messageOf(error)})`, {
    hint: kind.hint,
    cause: error,
  });
}

export function isFullError(error: unknown): boolean {
  return error instanceof SqliteError && kinds[0]!.codes.includes(error.code);
}

/** Whether the database caused an error. */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof VnmError && error.cause instanceof SqliteError;
}

/** Wraps methods so that they throw errors of SQLite as `asDatabaseError` converts them. */
export function withDatabaseErrors<T extends object>(methods: T, path: string): T {
  const entries = Object.entries(methods).map(([name, method]: [string, (...args: unknown[]) => unknown]) => {
    const wrapped = (...args: unknown[]) => {
      try {
        return method(...args);
      } catch (error) {
        throw asDatabaseError(error, path);
      }
    };
    return [name, wrapped];
  });
  return Object.fromEntries(entries) as T;
}
