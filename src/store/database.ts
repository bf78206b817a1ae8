import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { messageOf, VnmError } from '../model/errors.ts';
import { packageFile } from '../model/package.ts';
import { asDatabaseError } from './database-error.ts';
import type { Db } from './db.ts';
import { inspectDatabase, isDatabaseOf } from './inspect.ts';
import { fileAt, removeIfUnused } from './unused.ts';
import { upgradeDatabase } from './upgrades.ts';

/** The version of schema.sql, stored in `pragma user_version`. */
export const schemaVersion = 10;

const inMemory = ':memory:';

/**
 * Opens the controller's database, or creates it. It has a write-ahead log, enforces foreign keys, and waits up to 5 s
 * for another command's write. A database of an older version is upgraded, and a copy kept next to it. Throws VnmError
 * `failed` for a file that is not a database of this program (`inspectDatabase`) or cannot be opened, and leaves it
 * unchanged.
 */
export function openDatabase(path: string): { readonly db: Db; readonly isNew: boolean } {
  if (path === '') throw new VnmError('failed', 'the database has no name', { hint: 'give a file with --db' });
  const isMemory = path === inMemory;
  const isNew = !isMemory && !inspectDatabase(path, schemaVersion);
  let db: Db | undefined;
  let file: string | undefined;
  const isThere = () => isMemory || (file !== undefined && fileAt(path) === file);
  try {
    db = new Database(path, { timeout: 5000 });
    file = isMemory ? undefined : fileAt(path);
    prepare(db, path);
    if (isThere()) return { db, isNew };
  } catch (error) {
    if (db === undefined || isThere()) {
      closeDatabase(db, isNew ? path : undefined);
      throw openError(error, path);
    }
  }
  // Another command created the file, wrote nothing and removed it meanwhile; SQLite may have failed on its remains.
  db.close();
  return openDatabase(path);
}

/** Whether the path is a database of this version, so that opening it changes nothing. Throws VnmError `failed`. */
export function isCurrent(path: string): boolean {
  return isDatabaseOf(path, schemaVersion);
}

/** Closes a database. Removes the file at `unused` if nothing was written to it. */
export function closeDatabase(db: Db | undefined, unused?: string): void {
  if (db !== undefined && unused !== undefined) removeIfUnused(db, unused);
  db?.close();
}

function prepare(db: Db, path: string): void {
  db.pragma('journal_mode = WAL');
  upgradeDatabase(db, path, schemaVersion);
  db.pragma('foreign_keys = ON');
  // When two commands open a new file at once, the second waits for the first and finds the schema.
  db.transaction(() => createSchema(db, path)).immediate();
}

function openError(error: unknown, path: string): unknown {
  const converted = asDatabaseError(error, path);
  if (converted instanceof VnmError) return converted;
  return new VnmError('failed', `cannot open the database ${path}: ${messageOf(error)}`, {
    hint: 'check the path and its permissions, or choose another file with --db',
    cause: error,
  });
}

function createSchema(db: Db, path: string): void {
  const version = db.pragma('user_version', { simple: true });
  if (version === schemaVersion) return;
  if (version !== 0) {
    throw new VnmError(
      'failed',
      `the database ${path} has version ${version}, but this program supports only up to ${schemaVersion}`,
      {
        hint: 'use the program version that created it, or choose another file with --db',
      },
    );
  }
  const tables = db.prepare('select count(*) from sqlite_schema').pluck().get();
  if (tables !== 0) {
    throw new VnmError('failed', `${path} is a database of another program`, { hint: 'choose another file with --db' });
  }
  db.exec(readFileSync(packageFile('schema.sql'), 'utf8'));
  db.pragma(`user_version = ${schemaVersion}`);
}
