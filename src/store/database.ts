import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { messageOf, VnmError } from '../model/errors.ts';
import { packageFile } from '../model/package.ts';
import { asDatabaseError } from './database-error.ts';
import type { Db } from './db.ts';
import { inspectDatabase } from './inspect.ts';
import { fileAt, removeIfUnused } from './unused.ts';
import { upgradeDatabase } from './upgrades.ts';

/** Version of schema.sql, kept in `pragma user_version`. */
export const schemaVersion = 7;

const inMemory = ':memory:';

/**
 * Opens the controller's database, creating it where there is none. Write-ahead log, foreign keys enforced, waits up to
 * 5 s for another command's write. One of an older version is upgraded, and a copy of it kept next to it. Throws VnmError `failed`,
 * and leaves the path as it was, for what is not a database of this program (`inspectDatabase`), and when it cannot be opened.
 */
export function openDatabase(path: string): { readonly db: Db; readonly isNew: boolean } {
  if (path === '') throw new VnmError('failed', 'the database has no name', { hint: 'name a file with --db' });
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
      throw tell(error, path);
    }
  }
  // Another command had created it, had nothing to write, and removed it meanwhile; SQLite may have failed on what was left.
  db.close();
  return openDatabase(path);
}

/** `unused`: the path of a database that goes, if nothing was written to it. */
export function closeDatabase(db: Db | undefined, unused?: string): void {
  if (db !== undefined && unused !== undefined) removeIfUnused(db, unused);
  db?.close();
}

function prepare(db: Db, path: string): void {
  db.pragma('journal_mode = WAL');
  upgradeDatabase(db, path, schemaVersion);
  db.pragma('foreign_keys = ON');
  // Two commands that start on a new file at once: the second waits for the first and finds the schema there.
  db.transaction(() => createSchema(db, path)).immediate();
}

function tell(error: unknown, path: string): unknown {
  const told = asDatabaseError(error, path);
  if (told instanceof VnmError) return told;
  return new VnmError('failed', `cannot open the database ${path}: ${messageOf(error)}`, {
    hint: 'check the path and its permissions, or name another file with --db',
    cause: error,
  });
}

function createSchema(db: Db, path: string): void {
  const version = db.pragma('user_version', { simple: true });
  if (version === schemaVersion) return;
  if (version !== 0) {
    throw new VnmError('failed', `the database ${path} has version ${version}, this program knows ${schemaVersion}`, {
      hint: 'use the program version that made it, or another file with --db',
    });
  }
  const tables = db.prepare('select count(*) from sqlite_schema').pluck().get();
  if (tables !== 0) {
    throw new VnmError('failed', `${path} is a database of something else`, { hint: 'name another file with --db' });
  }
  db.exec(readFileSync(packageFile('schema.sql'), 'utf8'));
  db.pragma(`user_version = ${schemaVersion}`);
}
