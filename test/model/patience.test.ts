import { expect, it } from 'vitest';
import { observedPatienceS, secondsText, timeLimits } from '../../src/model/patience.ts';

it('scales every limit with the patience', () => {
  const [usual, long] = [timeLimits(), timeLimits(60)];
  for (const [name, ms] of Object.entries(usual)) expect(long[name as keyof typeof long]).toBe(6 * ms);
});

it('bounds how long a node waits for a confirmation', () => {
  expect([1, 10, 30, 3600].map((patience) => timeLimits(patience).confirmMs)).toEqual([
    10_000, 10_000, 30_000, 600_000,
  ]);
});

it('grows with what a node took, within three times what was meant', () => {
  expect(observedPatienceS(10, 100)).toBe(10);
  expect(observedPatienceS(10, 2000)).toBe(20);
  expect(observedPatienceS(10, 60_000)).toBe(30);
  expect(observedPatienceS(60, 2000)).toBe(60);
});

it('says times as people do', () => {
  expect([300, 60_000, 1234].map(secondsText)).toEqual(['0.3 s', '60 s', '1.2 s']);
});
