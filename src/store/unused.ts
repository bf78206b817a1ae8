import { rmSync, statSync } from 'node:fs';
import type Database from 'better-sqlite3';

/**
 * Removes a database that this process created if nothing was written to it, for example because the slice file has
 * faults. Keeps it while another process has it open.
 */
export function removeIfUnused(db: Database.Database, path: string): void {
  try {
    if (!isEmpty(db)) return;
    db.pragma('busy_timeout = 0');
    // Succeeds only if no other process has it open; one that opens it now waits, then checks that the file still
    // exists.
    db.pragma('journal_mode = DELETE');
    db.exec('begin exclusive');
    if (isEmpty(db)) rmSync(path, { force: true });
  } catch {
    // It is in use, or cannot be removed; an empty database does no harm.
  }
}

function isEmpty(db: Database.Database): boolean {
  const tables = db
    .prepare<[], string>("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
    .pluck()
    .all();
  return tables.every((table) => db.prepare(`select 1 from "${table}" limit 1`).get() === undefined);
}

/** Identifies the file at a path; undefined if there is none. */
export function fileAt(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}
