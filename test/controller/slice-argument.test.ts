/** The argument SLICE names a file of a slice that an earlier version installed under looser rules. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sliceFromArgument } from '../../src/controller/base/slice-argument.ts';
import { parsePrefix } from '../../src/model/address.ts';
import { readSlice, readSliceText } from '../../src/slicefile/index.ts';
import type { Store } from '../../src/store/store.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

const file = gallery('two-node');
const installed = { ...readSlice(file), vnet: parsePrefix('8.8.0.0/16') };
/** Public addresses without `public: true`, which is now required. */
const earlier = readSliceText(file).replace(/^vnet: .*$/m, 'vnet: 8.8.0.0/16');

let directory: string;
let store: Store;
let remove: () => void;
beforeEach(() => {
  ({ store, remove } = temporaryStore());
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-slice-'));
});
afterEach(() => {
  remove();
  rmSync(directory, { recursive: true });
});

function write(text: string): string {
  const path = join(directory, 'slice.yaml');
  writeFileSync(path, text);
  return path;
}

it('the slice in the database is used if the file breaks a newer rule', () => {
  store.slices.save(installed);
  const path = write(earlier);
  expect(() => readSlice(path)).toThrow(expect.objectContaining({ code: 'invalid-input' }));
  expect(sliceFromArgument(store, path)).toEqual(installed);
});

it('a file that breaks a newer rule is refused if it is saved or checked', () => {
  store.slices.save(installed);
  const path = write(earlier);
  const refused = expect.objectContaining({ code: 'invalid-input', message: expect.stringContaining('8.8.0.0/16') });
  expect(() => sliceFromArgument(store, path, { save: true })).toThrow(refused);
  expect(() => sliceFromArgument(store, path, { check: true })).toThrow(refused);
  expect(store.slices.find(installed.name)).toEqual(installed);
});

it('a file that breaks a newer rule is refused if its slice is not in the database', () => {
  const refused = expect.objectContaining({ code: 'invalid-input' });
  expect(() => sliceFromArgument(store, write(earlier))).toThrow(refused);
  store.slices.save(installed);
  expect(() => sliceFromArgument(store, write('slice: [two]'))).toThrow(refused);
  expect(() => sliceFromArgument(store, write('slice: two\nvnet: "'))).toThrow(refused);
});
