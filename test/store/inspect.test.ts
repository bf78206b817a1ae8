/** The database's path is inspected before anything is written. */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { schemaVersion } from '../../src/store/database.ts';
import { openStore } from '../../src/store/store.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-inspect-'));
  path = join(directory, 'pl-vnm.db');
});

afterEach(() => rmSync(directory, { recursive: true }));

function refusal(of = path): VnmError {
  try {
    openStore(of).close();
  } catch (error) {
    if (error instanceof VnmError) return error;
    throw error;
  }
  throw new Error('it was opened');
}

function contents(): (string | Buffer)[][] {
  return readdirSync(directory)
    .sort()
    .map((name) => [name, readFileSync(join(directory, name))]);
}

/** A database with these statements, with the default journal mode or a write-ahead log. */
function make(journal: string, ...statements: string[]): Database.Database {
  const db = new Database(path);
  db.pragma(`journal_mode = ${journal}`);
  for (const statement of statements) db.exec(statement);
  return db;
}

describe.each(['delete', 'wal'])('in journal mode %s', (journal) => {
  test.each([
    ['of another program', ['create table t (x)']],
    [
      'of another program with a version like ours',
      ['create table slices (x)', `pragma user_version = ${schemaVersion}`],
    ],
    ['of another program without tables', ['pragma user_version = 7']],
  ])('a database %s is refused and not changed', (_, statements) => {
    make(journal, ...statements).close();
    const before = contents();
    const error = refusal();
    expect(error).toMatchObject({
      code: 'failed',
      message: `${path} is a database of another program`,
      hint: 'it was not changed; choose another file with --db',
    });
    expect(contents()).toEqual(before);
  });

  test('a database of a later version is refused and not changed', () => {
    keep(path);
    const later = make(journal, 'create table news (x)', 'pragma user_version = 99');
    later.close();
    const before = contents();
    expect(refusal()).toMatchObject({
      code: 'failed',
      message: `the database ${path} has version 99, but this program supports only up to ${schemaVersion}`,
      hint: 'use the program version that created it, or choose another file with --db',
    });
    expect(contents()).toEqual(before);
  });

  test('a database of another program that is in use is refused', () => {
    const db = make(journal, 'create table t (x)', 'insert into t values (1)');
    const names = readdirSync(directory);
    expect(refusal().message).toBe(`${path} is a database of another program`);
    expect(readdirSync(directory)).toEqual(names);
    db.close();
  });
});

/** Creates a database of this program that stays. */
function keep(at: string): void {
  const store = openStore(at);
  store.slices.save(readSlice(gallery('two-node')));
  store.close();
}

test('a later version in the write-ahead log counts', () => {
  keep(path);
  const later = make('wal', 'pragma user_version = 99');
  expect(refusal().message).toContain('has version 99');
  later.close();
});

test('a large database of this program can be opened', () => {
  keep(path);
  make('wal', 'create table filler (x)', 'insert into filler values (zeroblob(20000000))').close();
  const store = openStore(path);
  expect(store.slices.names()).toEqual(['two']);
  store.close();
});

test('a file that is not a database is refused and not changed', () => {
  writeFileSync(path, 'no database, only text that is long enough to be read as a header');
  const before = contents();
  expect(refusal()).toMatchObject({
    code: 'failed',
    message: `cannot open the database ${path}: it is not a database`,
    hint: 'choose another file with --db',
  });
  expect(contents()).toEqual(before);
});

test('a truncated database is refused', () => {
  make('delete', 'create table t (x)', 'insert into t values (zeroblob(100000))').close();
  writeFileSync(path, readFileSync(path).subarray(0, 50));
  expect(refusal().message).toMatch(/^cannot open the database /);
});

test.each([
  ['FIFO', () => execFileSync('mkfifo', [path]), 'it is a FIFO'],
  ['link to a FIFO', () => execFileSync('sh', ['-c', 'mkfifo "$0.f" && ln -s "$0.f" "$0"', path]), 'it is a FIFO'],
  ['directory', () => mkdirSync(path), 'it is a directory'],
  ['device', () => symlinkSync('/dev/zero', path), 'it is a device'],
  ['link to itself', () => symlinkSync(path, path), 'ELOOP'],
])('a %s is refused immediately', (_, prepare, reason) => {
  prepare();
  const names = readdirSync(directory);
  const error = refusal();
  expect(error.message).toContain(`cannot open the database ${path}: ${reason}`);
  expect(error.hint).toContain('choose another file with --db');
  expect(readdirSync(directory)).toEqual(names);
});

test('a socket is refused', async () => {
  const server = createServer().listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  expect(refusal().message).toBe(`cannot open the database ${path}: it is a socket`);
  await new Promise((resolve) => server.close(resolve));
});

test('a missing directory and an empty name are refused with a hint', () => {
  const missing = join(directory, 'a', 'b.db');
  expect(refusal(missing)).toMatchObject({
    message: `cannot open the database ${missing}: the directory ${join(directory, 'a')} does not exist`,
    hint: `run 'mkdir -p ${join(directory, 'a')}'`,
  });
  expect(refusal('').hint).toBe('give a file with --db');
});

describeAsRoot('for another user', () => {
  test('a file or directory that is not writable is refused before anything is written', () => {
    const script = `
    const { openStore } = await import(${JSON.stringify(new URL('../../src/store/store.ts', import.meta.url).href)});
    process.setgroups([]);
    process.setgid(65534);
    process.setuid(65534);
    for (const path of process.argv.slice(1)) {
      try { openStore(path).close(); console.log('opened'); } catch (error) { console.log(error.message + ' | ' + error.hint); }
    }`;
    keep(path);
    chmodSync(directory, 0o755);
    chmodSync(path, 0o444);
    const fresh = join(directory, 'new.db');
    const answers = execFileSync(process.execPath, ['--input-type=module', '-e', script, path, fresh], {
      encoding: 'utf8',
    });
    expect(answers.trim().split('\n')).toEqual([
      `cannot open the database ${path}: it cannot be written (EACCES) | make ${path} writable for you, or choose another file with --db`,
      `cannot open the database ${fresh}: the directory ${directory} cannot be written (EACCES) | make ${directory} writable for you, or choose another file with --db`,
    ]);
    expect(readdirSync(directory)).toEqual(['pl-vnm.db']);
  });
});

describe('a database with the journal of a transaction next to it', () => {
  /** A database of this program with a journal to roll back, and a log, so that not only its start is inspected. */
  function interrupted(): string {
    keep(path);
    const left = join(directory, 'left.db');
    const db = make('delete', 'pragma cache_size = 1');
    copyFileSync(path, left);
    for (const statement of ['begin', 'create table big (x)']) db.exec(statement);
    for (let row = 0; row < 99; row += 1) db.exec('insert into big values (hex(randomblob(900)))');
    copyFileSync(`${path}-journal`, `${left}-journal`);
    db.exec('rollback');
    db.close();
    writeFileSync(`${left}-wal`, '');
    return left;
  }

  test('a database with a journal is inspected again while the journal may disappear', () => {
    const left = interrupted();
    spawn('sh', ['-c', 'sleep 0.2; rm "$0-journal"', left]);
    openStore(left).close();
    expect(readdirSync(directory)).toEqual(['left.db', 'pl-vnm.db']);
  });

  test('a database whose journal stays is refused with a hint and not changed', () => {
    const left = interrupted();
    const before = contents();
    expect(refusal(left)).toMatchObject({
      message: `cannot open the database ${left}: a program was stopped while it wrote to it`,
      hint: `roll it back with: sqlite3 ${left} .tables`,
    });
    expect(contents()).toEqual(before);
  });
});

describe('a new database', () => {
  test('a new database is removed if nothing was written to it', () => {
    openStore(path).close();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a database stays if it was written to, or if the file existed', () => {
    keep(path);
    const empty = join(directory, 'empty.db');
    writeFileSync(empty, '');
    openStore(empty).close();
    expect(readdirSync(directory)).toEqual(['empty.db', 'pl-vnm.db']);
  });

  test('a new database stays while another process has it open', () => {
    const first = openStore(path);
    const second = openStore(path);
    first.close();
    second.slices.save(readSlice(gallery('two-node')));
    second.close();
    const store = openStore(path);
    expect(store.slices.names()).toEqual(['two']);
    store.close();
  });

  test('a database that was removed while it was opened is created again', () => {
    const script = `
      const { openStore } = await import(${JSON.stringify(new URL('../../src/store/store.ts', import.meta.url).href)});
      for (let time = 0; time < 12; time += 1) {
        const store = openStore(process.argv[1]);
        if (process.argv[2] === 'write') store.events.add(undefined, 'kept', String(time));
        store.close();
      }`;
    const run = (what: string) => `"$0" --input-type=module -e "$1" "$2" ${what}`;
    execFileSync('sh', [
      '-c',
      `${run('look')} & ${run('write')}; code=$?; wait; exit $code`,
      process.execPath,
      script,
      path,
    ]);
    const store = openStore(path);
    expect(store.events.list(undefined, 100)).toHaveLength(12);
    store.close();
  });
});
