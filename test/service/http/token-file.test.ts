import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findToken, newToken, removeToken, tokenPath, writeToken } from '../../../src/service/http/token-file.ts';

let directory: string;
let database: string;
let path: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'pl-vnm-token-')));
  database = join(directory, 'vnm.db');
  path = join(directory, 'vnm.db.token');
  writeFileSync(database, '');
});
afterEach(() => rmSync(directory, { recursive: true }));

const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);

describe('the token file', () => {
  test('the token file is next to the database, whatever path leads to the database', () => {
    const other = join(directory, 'link.db');
    symlinkSync(database, other);
    expect([tokenPath(database), tokenPath(other)]).toEqual([path, path]);
  });

  test('the token file holds a random token that only its user can read', () => {
    const token = newToken();
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(newToken()).not.toBe(token);
    const before = process.umask(0);
    try {
      writeToken(path, token);
    } finally {
      process.umask(before);
    }
    expect(modeOf(path)).toBe('600');
    expect(findToken(database)).toEqual({ token, file: path });
    expect(readdirSync(directory).toSorted()).toEqual(['vnm.db', 'vnm.db.token']);
  });

  test('the token file replaces a link, and leaves the target of the link unchanged', () => {
    const victim = join(directory, 'victim');
    writeFileSync(victim, 'precious', { mode: 0o644 });
    symlinkSync(victim, path);
    writeToken(path, 'a-token-of-the-tests');
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(modeOf(victim)).toBe('644');
    expect(lstatSync(path).isSymbolicLink()).toBe(false);
    expect(findToken(database).token).toBe('a-token-of-the-tests');
  });

  test('the token file replaces a file that others could read, with its own mode', () => {
    writeFileSync(path, 'old', { mode: 0o666 });
    chmodSync(path, 0o666);
    writeToken(path, 'a-token-of-the-tests');
    expect(modeOf(path)).toBe('600');
  });

  test('a token file that cannot be written is reported, and leaves nothing behind', () => {
    mkdirSync(path);
    writeFileSync(join(path, 'x'), '');
    expect(() => writeToken(path, 'a-token-of-the-tests')).toThrow(
      `cannot write the token of the service to ${path}: `,
    );
    expect(readdirSync(directory).toSorted()).toEqual(['vnm.db', 'vnm.db.token']);
  });

  test('a service removes its own token file, and no other', () => {
    writeToken(path, 'a-token-of-the-tests');
    removeToken(path, 'another-token-of-tests');
    expect(existsSync(path)).toBe(true);
    removeToken(path, 'a-token-of-the-tests');
    expect(existsSync(path)).toBe(false);
    expect(() => removeToken(path, 'a-token-of-the-tests')).not.toThrow();
  });
});

describe('reading the token file', () => {
  test('a missing token file is reported', () => {
    expect(() => findToken(database)).toThrow(
      expect.objectContaining({
        code: 'not-found',
        message: `there is no token file ${path}`,
        hint: 'run `pl-vnm serve` on loopback without --token-file, which makes one',
      }),
    );
  });

  test.each([
    ['a link', 'it is a link', () => symlinkSync(join(directory, 'elsewhere'), path)],
    ['a directory', 'it is not a regular file', () => mkdirSync(path, { mode: 0o700 })],
    [
      'a file that others can read',
      'others may read or write it',
      () => {
        writeFileSync(path, 'a-token-of-the-tests');
        chmodSync(path, 0o640);
      },
    ],
  ])('a token is not read from %s', (_what, reason, put) => {
    put();
    expect(() => findToken(database)).toThrow(
      expect.objectContaining({
        code: 'forbidden',
        message: `cannot use the token file ${path}: ${reason}`,
      }),
    );
  });
});
