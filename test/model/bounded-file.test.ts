import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isUnnamed, readBounded, readBoundedText } from '../../src/model/bounded-file.ts';
import { readSlice, readSliceText } from '../../src/slicefile/index.ts';
import { readKnownHosts } from '../../src/transport/known-hosts.ts';

let directory: string;
let path: string;
const bounds = { maxBytes: 1024 };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-bounded-'));
  path = join(directory, 'file');
});

afterEach(() => rmSync(directory, { recursive: true }));

test('a file is read up to its limit, and refused beyond', () => {
  writeFileSync(path, 'x'.repeat(1024));
  expect(readBoundedText(path, bounds)).toBe('x'.repeat(1024));
  writeFileSync(path, 'x'.repeat(1025));
  expect(() => readBounded(path, bounds)).toThrow('it is larger than 1 KiB');
});

test('a file of many terabytes is refused without being read', () => {
  writeFileSync(path, '');
  truncateSync(path, 2 ** 42);
  expect(() => readBounded(path, { maxBytes: 4 * 1024 * 1024 })).toThrow('it is larger than 4 MiB');
});

test('a file with a reported size of 0, as in /proc, is read up to the limit', () => {
  expect(readBoundedText('/proc/self/status', { maxBytes: 65536 })).toContain('Name:');
  expect(() => readBounded('/proc/self/status', { maxBytes: 16 })).toThrow('it is larger than');
});

test('FIFOs, directories, devices and missing files are refused immediately', () => {
  execFileSync('mkfifo', [path]);
  expect(() => readBounded(path, bounds)).toThrow('it is a FIFO');
  expect(() => readBounded(path, { ...bounds, pipes: true })).toThrow('it is a FIFO');
  expect(() => readBounded(directory, bounds)).toThrow('it is a directory');
  expect(() => readBounded('/dev/zero', bounds)).toThrow('it is a device');
  expect(() => readBounded(join(directory, 'nowhere'), bounds)).toThrow(/^ENOENT/);
});

test('a link to /dev/null is an empty file', () => {
  symlinkSync('/dev/null', path);
  expect(readBoundedText(path, bounds)).toBe('');
  expect(readKnownHosts([path])).toEqual([]);
});

test.each([
  ['a slow writer', '{ sleep 0.1; printf ab; sleep 0.1; printf c; }', "'abc'"],
  ['a writer that never ends', 'cat /dev/zero', 'it is larger than 1 KiB'],
])('an unnamed pipe with %s is read up to the limit, if pipes are allowed', (_, writer, expected) => {
  const script = `
    const { readBoundedText } = await import(${JSON.stringify(new URL('../../src/model/bounded-file.ts', import.meta.url).href)});
    try { console.log("'" + readBoundedText('/dev/stdin', { maxBytes: 1024, pipes: true }) + "'"); }
    catch (error) { console.log(error.message); }`;
  const command = `${writer} 2> /dev/null | "$0" --input-type=module -e "$1"`;
  expect(execFileSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8' }).trim()).toBe(expected);
});

test('a slice file that is too large, endless or a directory is refused in one line with a hint', () => {
  const hint = 'give a slice file in YAML of at most 4 MiB';
  writeFileSync(path, '');
  truncateSync(path, 50 * 1024 * 1024);
  const large = { code: 'invalid-input', message: `cannot read the slice file ${path}: it is larger than 4 MiB`, hint };
  expect(() => readSlice(path)).toThrow(expect.objectContaining(large));
  expect(() => readSlice('/dev/zero')).toThrow('cannot read the slice file /dev/zero: it is a device');
  expect(() => readSliceText(directory)).toThrow(`cannot read the slice file ${directory}: it is a directory`);
});

test('unreadable known hosts are reported with a hint', () => {
  expect(() => readKnownHosts(['/dev/zero'])).toThrow(
    expect.objectContaining({
      code: 'unreachable',
      message: 'cannot read the known hosts in /dev/zero: it is a device',
      hint: 'make it a readable file of host keys, or move it away',
    }),
  );
});

test('where the system does not say what a pipe is, its path does', () => {
  const nowhere = '/nonexistent';
  for (const path of ['/dev/stdin', '/dev/fd/63']) expect(isUnnamed(0, path, nowhere)).toBe(true);
  for (const path of ['/tmp/fifo', '/dev/fd/63/x', 'dev/stdin']) expect(isUnnamed(0, path, nowhere)).toBe(false);
});
