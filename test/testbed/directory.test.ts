import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeDirectory, ownsDirectory, removeDirectory } from '../../src/testbed/directory.ts';

let parent: string;
let directory: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'testbed-directory-'));
  directory = join(parent, 'some', 'where');
});
afterEach(() => rm(parent, { recursive: true }));

test('a testbed directory is private, marked, and removed with everything in it', async () => {
  expect(await ownsDirectory('ab12', directory)).toBe(false);
  await makeDirectory('ab12', directory);
  await writeFile(join(directory, 'file'), '');
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect(await ownsDirectory('ab12', directory)).toBe(true);
  await removeDirectory('ab12', directory);
  expect(await readdir(join(parent, 'some'))).toEqual([]);
  await removeDirectory('ab12', directory);
});

test('a directory without a complete mark can be removed', async () => {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'id'), '');
  await removeDirectory('ab12', directory);
  expect(await readdir(join(parent, 'some'))).toEqual([]);
  await mkdir(directory);
  await removeDirectory('ab12', directory);
  expect(await readdir(join(parent, 'some'))).toEqual([]);
});

test.each([
  ['another testbed', 'id', 'cd34\n'],
  ['someone else', 'letters.txt', 'ab12\n'],
])('the directory of %s is never touched', async (_owner, file, content) => {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, file), content);
  const error = {
    code: 'conflict',
    message: `'${directory}' is not the directory of testbed 'ab12'`,
    hint: 'give the testbed a directory that does not exist yet',
  };
  await expect(ownsDirectory('ab12', directory)).rejects.toMatchObject(error);
  await expect(removeDirectory('ab12', directory)).rejects.toMatchObject(error);
  expect(await readdir(directory)).toEqual([file]);
});

test.each(['relative/path', '/with"quote', '/with%token', '/with\nline'])(
  'makeDirectory refuses the path %j',
  async (path) => {
    await expect(makeDirectory('ab12', path)).rejects.toMatchObject({
      code: 'invalid-input',
      message: `invalid testbed directory: '${path}'`,
      hint: 'give an absolute path without quotes, percent signs and backslashes',
    });
  },
);
