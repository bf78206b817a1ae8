/** What is at a path before it is opened as the controller's database: what belongs to others is not touched. */
import { accessSync, constants, existsSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { kindOf, readStart } from '../model/bounded-file.ts';
import { messageOf, VnmError } from '../model/errors.ts';

/** Tables that every version has. */
const ownTables = ['slices', 'vns', 'instances', 'migrations', 'routes', 'events'];
/** The schema is at the front of a file. */
const startBytes = 16 * 1024 * 1024;
const another = 'name another file with --db';
const [settleMs, pauseMs] = [5000, 20];
const magic = 'SQLite format 3\0';

interface Found {
  readonly version: number;
  readonly tables: readonly string[];
}

/**
 * Answers whether there is a file. Throws VnmError `failed` for all that is not a database of this program of version `known` or an
 * older one: what is no file, no database, of another program, of a later version, or cannot be written. Nothing is written.
 */
export function inspectDatabase(path: string, known: number): boolean {
  const stats = statOf(path);
  if (stats === undefined) {
    requireWritable(path, dirname(path));
    return false;
  }
  const kind = kindOf(stats);
  if (kind !== undefined) throw refused(path, `it is ${kind}`, another);
  // An empty one is what SQLite leaves when it is stopped at the very start, and what `mktemp` makes.
  try {
    if (stats.size > 0) refuseForeign(path, stats, known);
  } catch (error) {
    // Another command that had made it, and had nothing to write, may have removed it meanwhile.
    if (statOf(path) === undefined) return inspectDatabase(path, known);
    throw error;
  }
  for (const needed of [path, dirname(path)]) requireWritable(path, needed);
  return true;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw refused(path, messageOf(error), 'check the path and its permissions, or name another file with --db', error);
  }
}

function refuseForeign(path: string, stats: Stats, known: number): void {
  const isLogged = () => existsSync(`${path}-wal`);
  const wasLogged = isLogged();
  const start = startOf(path, stats);
  if (!start.subarray(0, magic.length).equals(Buffer.from(magic, 'latin1'))) {
    throw refused(path, 'it is not a database', another);
  }
  // With a log next to it the newest part is there, and the file may be half written at this moment. Reading both makes no file where
  // both files of the log are there.
  const first = wasLogged || isLogged() ? undefined : lookAtStart(start);
  refuseOthers(path, first ?? lookAtFile(path), known);
}

function refuseOthers(path: string, { version, tables }: Found, known: number): void {
  if (version === 0 && tables.length === 0) return;
  const isOwn = version > 0 && ownTables.every((table) => tables.includes(table));
  if (!isOwn) {
    const hint = 'it was left as it is; name another file with --db';
    throw new VnmError('failed', `${path} is a database of something else`, { hint });
  }
  if (version <= known) return;
  throw new VnmError('failed', `the database ${path} has version ${version}, this program knows ${known}`, {
    hint: 'use the program version that made it, or another file with --db',
  });
}

/** As one file by itself, so that SQLite finds all of it there, and no log. */
function startOf(path: string, { size }: Stats): Buffer {
  let start: Buffer;
  try {
    start = readStart(path, Math.min(startBytes, size));
  } catch (error) {
    throw refused(path, messageOf(error), another, error);
  }
  if (start.length < 100) return start;
  const [journalFormat, pageSizeAt, pageCountAt] = [18, 16, 28];
  const pageSize = start.readUInt16BE(pageSizeAt) === 1 ? 65536 : start.readUInt16BE(pageSizeAt);
  start.fill(1, journalFormat, journalFormat + 2);
  if (size > start.length && pageSize > 0) start.writeUInt32BE(Math.floor(start.length / pageSize), pageCountAt);
  return start;
}

/** In memory, where nothing is made next to the file. Undefined where the beginning is not enough. */
function lookAtStart(start: Buffer): Found | undefined {
  try {
    return lookAt(new Database(start));
  } catch {
    return undefined;
  }
}

/**
 * Who only reads may take the journal of a transaction that is just ending for one that was left behind (SQLite's ticket 3883), and
 * cannot set up the log of a database that is just being made. Neither lasts.
 */
function lookAtFile(path: string, deadline = Date.now() + settleMs): Found {
  try {
    return lookAt(new Database(path, { readonly: true, timeout: 5000 }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!code?.startsWith('SQLITE_READONLY')) throw refused(path, messageOf(error), another, error);
    if (Date.now() < deadline) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
      return lookAtFile(path, deadline);
    }
    if (code !== 'SQLITE_READONLY_ROLLBACK') throw refused(path, messageOf(error), another, error);
    throw refused(
      path,
      'a program ended in the middle of writing it',
      `roll it back with: sqlite3 ${path} .tables`,
      error,
    );
  }
}

function lookAt(db: Database.Database): Found {
  try {
    // In one transaction, or another command may create the schema in between.
    return db.transaction(() => ({
      tables: db.prepare<[], string>('select name from sqlite_schema').pluck().all(),
      version: db.pragma('user_version', { simple: true }) as number,
    }))();
  } finally {
    db.close();
  }
}

function requireWritable(path: string, needed: string): void {
  try {
    accessSync(needed, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw refused(path, `there is no directory ${needed}`, `make it with mkdir -p ${needed}`);
    const what = needed === path ? 'it' : `the directory ${needed}`;
    const hint = `make ${needed} writable for you, or name another file with --db`;
    throw refused(path, `${what} cannot be written (${code})`, hint, error);
  }
}

function refused(path: string, reason: string, hint: string, cause?: unknown): VnmError {
  return new VnmError('failed', `cannot open the database ${path}: ${reason}`, { hint, cause });
}
