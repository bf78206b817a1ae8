import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { messageOf, VnmError } from '../model/errors.ts';
import { upgradeDatabase } from './upgrades.ts';

export type Db = Database.Database;

/** Version of schema.sql, kept in `pragma user_version`. */
const schemaVersion = 2;

/**
 * Opens the controller's database, creating it where there is none. Write-ahead log, foreign keys enforced, waits up to
 * 5 s for another command's write. One of an older version is upgraded, and a copy of it kept beside it. Throws VnmError `failed`
 * when the file cannot be opened or is of a newer version.
 */
export function openDatabase(path: string): Db {
  try {
    const db = new Database(path, { timeout: 5000 });
    db.pragma('journal_mode = WAL');
    upgradeDatabase(db, path, schemaVersion);
    db.pragma('foreign_keys = ON');
    // Two commands that start on a new file at once: the second waits for the first and finds the schema there.
    db.transaction(() => createSchema(db, path)).immediate();
    return db;
  } catch (error) {
    if (error instanceof VnmError) throw error;
    throw new VnmError('failed', `cannot open the database ${path}: ${messageOf(error)}`, {
      hint: 'check the path and its permissions, or name another file with --db',
      cause: error,
    });
  }
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
  db.exec(readFileSync(new URL('../../schema.sql', import.meta.url), 'utf8'));
  db.pragma(`user_version = ${schemaVersion}`);
}
