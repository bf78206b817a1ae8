import { readdirSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Imports go one way: a folder may use the tiers before its own, and the folders beside it that are named here. */
const tiers = [
  ['model'],
  ['planning', 'slicefile', 'vsys', 'clock'],
  ['store', 'transport', 'agent'],
  ['controller'],
  ['testbed', 'experiment', 'service'],
  ['cli'],
];
/** The demo makes its own testbed. */
const beside = new Map([['experiment', ['testbed']]]);

function tierOf(folder: string): number {
  return tiers.findIndex((tier) => tier.includes(folder));
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

test('every folder of src has its tier', () => {
  const folders = new Set(files.map((file) => file.split('/')[0]!));
  expect([...folders].filter((folder) => tierOf(folder) < 0)).toEqual([]);
});

test('imports go one way', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const folder = file.split('/')[0]!;
    const text = readFileSync(resolve(src, file), 'utf8');
    for (const [, path] of text.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)) {
      const target = relative(src, resolve(src, dirname(file), path!)).split('/')[0]!;
      if (target === folder || target === '..') continue;
      if (tierOf(target) < tierOf(folder) || beside.get(folder)?.includes(target)) continue;
      wrong.push(`${file} imports ${path}`);
    }
  }
  expect(wrong).toEqual([]);
});
