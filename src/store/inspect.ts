/** Inspects a path before it is opened as the controller's database, to leave the files of others untouched. */
import { accessSync, constants, existsSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { kindOf, readStart } from '../model/bounded-file.ts';
import { messageOf, VnmError } from '../model/errors.ts';

/** The tables that every version has. */
const ownTables = ['slices', 'vns', 'instances', 'migrations', 'routes', 'events'];
/** Enough to contain the schema, which is at the front of a file. */
const startBytes = 16 * 1024 * 1024;
const another = 'choose another file with --db';
const [settleMs, pauseMs] = [5000, 20];
const magic = 'SQLite format 3\0';

interface Found {
  readonly version: number;
  readonly tables: readonly string[];
}

/**
 * Returns whether the file exists. Throws VnmError `failed` for anything but a writable database of this program with
 * version `known` or older: not a file, not a database, of another program, or of a later version. Writes nothing.
 */
export function inspectDatabase(path: string, known: number): boolean {
  const stats = statOf(path);
  if (stats === undefined) {
    requireWritable(path, dirname(path));
    return false;
  }
  const kind = kindOf(stats);
  if (kind !== undefined) throw refused(path, `it is ${kind}`, another);
  // An empty file is allowed: SQLite leaves one when it is killed at the start, and `mktemp` creates one.
  try {
    if (stats.size > 0) refuseForeign(path, stats, known);
  } catch (error) {
    // Another command may have created it, written nothing and removed it meanwhile.
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
    throw refused(
      path,
      messageOf(error),
      'check the path and its permissions, or choose another file with --db',
      error,
    );
  }
}

/** Whether the path is a database of this program with exactly that version. Writes nothing. Throws as above. */
export function isDatabaseOf(path: string, version: number): boolean {
  const stats = statOf(path);
  if (stats === undefined || kindOf(stats) !== undefined || stats.size === 0) return false;
  const found = findIn(path, stats);
  return found.version === version && isOwn(found);
}

function isOwn({ version, tables }: Found): boolean {
  return version > 0 && ownTables.every((table) => tables.includes(table));
}

function refuseForeign(path: string, stats: Stats, known: number): void {
  refuseOthers(path, findIn(path, stats), known);
}

function findIn(path: string, stats: Stats): Found {
  const isLogged = () => existsSync(`${path}-wal`);
  const wasLogged = isLogged();
  const start = startOf(path, stats);
  if (!start.subarray(0, magic.length).equals(Buffer.from(magic, 'latin1'))) {
    throw refused(path, 'it is not a database', another);
  }
  // With a log next to it, the newest data is in the log, and the file may be half written. Reading both creates no
  // file if both files of the log exist.
  const first = wasLogged || isLogged() ? undefined : lookAtStart(start);
  return first ?? lookAtFile(path);
}

function refuseOthers(path: string, found: Found, known: number): void {
  const { version, tables } = found;
  if (version === 0 && tables.length === 0) return;
  if (!isOwn(found)) {
    const hint = 'it was not changed; choose another file with --db';
    throw new VnmError('failed', `${path} is a database of another program`, { hint });
  }
  if (version <= known) return;
  throw new VnmError(
    'failed',
    `the database ${path} has version ${version}, but this program supports only up to ${known}`,
    {
      hint: 'use the program version that created it, or choose another file with --db',
    },
  );
}

/** Reads the start of the file, patched to look complete and without a log to SQLite. */
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

/** Inspects the start in memory, which creates no files. Returns undefined if the start is not enough. */
function lookAtStart(start: Buffer): Found | undefined {
  try {
    return lookAt(new Database(start));
  } catch {
    return undefined;
  }
}

/**
 * Inspects the file, read-only. Retries two errors that do not last: a reader may mistake the journal of an ending
 * transaction for a leftover one (SQLite's ticket 3883), and cannot set up the log of a database that is being created.
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
      'a program was stopped while it wrote to it',
      `roll it back with: sqlite3 ${path} .tables`,
      error,
    );
  }
}

function lookAt(db: Database.Database): Found {
  try {
    // In one transaction, because another command may create the schema in between.
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
    if (code === 'ENOENT') throw refused(path, `the directory ${needed} does not exist`, `run 'mkdir -p ${needed}'`);
    const what = needed === path ? 'it' : `the directory ${needed}`;
    const hint = `make ${needed} writable for you, or choose another file with --db`;
    throw refused(path, `${what} cannot be written (${code})`, hint, error);
  }
}

function refused(path: string, reason: string, hint: string, cause?: unknown): VnmError {
  return new VnmError('failed', `cannot open the database ${path}: ${reason}`, { hint, cause });
}
