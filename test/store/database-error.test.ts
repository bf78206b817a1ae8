import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { asDatabaseError, isDatabaseError, withDatabaseErrors } from '../../src/store/database-error.ts';
import { eventStore } from '../../src/store/events.ts';

test('every method of a store reports a full disk in one line with a hint', () => {
  const db = new Database(':memory:');
  db.exec('create table events (id integer primary key, at real, slice text, kind text, message text, detail text)');
  db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
  const events = withDatabaseErrors(eventStore(db), '/x.db');
  let error: unknown;
  try {
    events.add(undefined, 'large', 'x'.repeat(100_000));
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({
    code: 'failed',
    message: 'the database /x.db failed: the disk is full (database or disk is full)',
    hint: 'free space on its disk and run the command again; everything written before is kept',
  });
  expect(isDatabaseError(error)).toBe(true);
  expect(events.list()).toEqual([]);
  db.close();
});

test.each([
  ['SQLITE_IOERR_WRITE', 'it cannot be read or written'],
  ['SQLITE_IOERR_SHMSIZE', 'the disk is full'],
  ['SQLITE_READONLY_DBMOVED', 'it cannot be written'],
  ['SQLITE_BUSY_SNAPSHOT', 'another process has locked it'],
  ['SQLITE_CORRUPT', 'it is damaged, or not a database'],
])('%s is reported in plain words', (code, what) => {
  const told = asDatabaseError(new Database.SqliteError('text', code), '/x.db') as VnmError;
  expect(told.message).toBe(`the database /x.db failed: ${what} (text)`);
  expect(told.hint).toBeDefined();
});

test('a violated constraint is shown unchanged', () => {
  const constraint = new Database.SqliteError('UNIQUE constraint failed', 'SQLITE_CONSTRAINT_UNIQUE');
  for (const error of [constraint, new TypeError('no connection'), new VnmError('conflict', 'no room')]) {
    expect(asDatabaseError(error, '/x.db')).toBe(error);
    expect(isDatabaseError(error)).toBe(false);
  }
});
