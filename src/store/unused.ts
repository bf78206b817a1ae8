import { rmSync, statSync } from 'node:fs';
import type Database from 'better-sqlite3';

/**
 * Removes a database that this process has made and nothing was written to, as after a command whose slice file has faults. It stays
 * while anybody else has it open.
 */
export function removeIfUnused(db: Database.Database, path: string): void {
  try {
    if (!isEmpty(db)) return;
    db.pragma('busy_timeout = 0');
    // Only possible for the only one who has it open; who opens it from now on waits, and looks whether it is still there.
    db.pragma('journal_mode = DELETE');
    db.exec('begin exclusive');
    if (isEmpty(db)) rmSync(path, { force: true });
  } catch {
    // It is in use, or stays: an empty database is in no one's way.
  }
}

function isEmpty(db: Database.Database): boolean {
  const tables = db
    .prepare<[], string>("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
    .pluck()
    .all();
  return tables.every((table) => db.prepare(`select 1 from "${table}" limit 1`).get() === undefined);
}

/** Tells one file at a path from another; undefined where there is none. */
export function fileAt(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}
