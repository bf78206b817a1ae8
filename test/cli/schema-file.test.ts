import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeSchema } from '../../src/cli/schema-file.ts';
import { sliceJsonSchema } from '../../src/slicefile/index.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-schema-'));
  file = join(directory, 'pl-vnm.schema.json');
});
afterEach(() => rmSync(directory, { recursive: true }));

const written = () => JSON.parse(readFileSync(file, 'utf8')) as unknown;

it('writeSchema writes the schema next to slice files, over an earlier version', () => {
  expect(writeSchema(directory)).toBe(file);
  expect(written()).toEqual(sliceJsonSchema());
  writeFileSync(file, JSON.stringify({ title: 'PL-VNM slice file', properties: {} }));
  writeSchema(directory);
  expect(written()).toEqual(sliceJsonSchema());
});

it.each(['{"title": "another"}', 'no JSON'])('writeSchema does not overwrite another file: %s', (text) => {
  writeFileSync(file, text);
  expect(() => writeSchema(directory)).toThrow(`${file} exists and is not a schema of slice files`);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

it('writeSchema fails if a directory has the file name, or the target directory is missing', () => {
  mkdirSync(file);
  expect(() => writeSchema(directory)).toThrow('exists and is not a schema of slice files');
  const nowhere = join(directory, 'nowhere');
  expect(() => writeSchema(nowhere)).toThrow(`cannot write ${join(nowhere, 'pl-vnm.schema.json')}: `);
});
