import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isRecent, needed } from '../../src/cli/node-version.mjs';

const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

test('the program needs the version that package.json requires', () => {
  expect(engines.node).toBe(`>=${needed}`);
});

test.each([
  ['12.22.12', false],
  ['20.20.2', false],
  ['22.17.9', false],
  ['22.18.0', true],
  ['23.0.0', true],
  ['24.1.0-nightly', true],
])('isRecent of Node.js %s returns %s', (version, recent) => {
  expect(isRecent(version)).toBe(recent);
});
