import { expect, test } from 'vitest';
import type { Uncertainty } from '../../../src/planning/loss/types.ts';
import { acceptOldUntilMs, earliestActionMs, requiredLeadMs } from '../../../src/planning/schedule/instants.ts';
import type { Schedule } from '../../../src/planning/schedule/types.ts';
import { flowOf } from '../arbitraries.ts';

const staggered: Schedule = {
  name: 'optimal',
  granularity: 'gateway',
  offsetsMs: new Map(Object.entries({ a: 0, b: 40 })),
  gates: new Map(),
};
const draining: Schedule = {
  ...staggered,
  name: 'drain',
  offsetsMs: new Map(Object.entries({ a: 0, b: 0 })),
  gates: new Map(
    Object.entries({ a: { closeBeforeMs: 50, releaseAfterMs: 1 }, b: { closeBeforeMs: 30, releaseAfterMs: 2 } }),
  ),
};
const needs = { armingMs: [20, 300, 80], disarmMs: 250, marginMs: 100 };

test('requiredLeadMs leaves time for the slowest arming, disarming and a margin before the first redirection', () => {
  expect(earliestActionMs(staggered)).toBe(0);
  expect(requiredLeadMs(staggered, needs)).toBe(650);
});

test('requiredLeadMs with gates leaves this time before the first gate closes', () => {
  expect(earliestActionMs(draining)).toBe(-50);
  expect(requiredLeadMs(draining, needs)).toBe(700);
});

test('acceptOldUntilMs lasts until the last packet on the old path, and at least until the last redirection', () => {
  const uncertainty: Uncertainty = new Map([
    ['a', { clockMs: 1, latenessMs: 2, gateLatenessMs: 100 }],
    ['b', { clockMs: 4, latenessMs: 8, gateLatenessMs: 100 }],
  ]);
  const flows = [flowOf('a', 'b', 60, 1), flowOf('b', 'a', 30, 1), flowOf('b', 'b', 500, 1)];
  expect(acceptOldUntilMs(staggered, flows, uncertainty)).toBe(40 + 30 + 1 + 4 + 8);
  expect(acceptOldUntilMs(staggered, [], uncertainty)).toBe(40);
});
