import { expect, it } from 'vitest';
import { observedPatienceS, secondsText, timeLimits } from '../../src/model/patience.ts';

it('all time limits scale with the patience', () => {
  const [usual, long] = [timeLimits(), timeLimits(60)];
  for (const [name, ms] of Object.entries(usual)) expect(long[name as keyof typeof long]).toBe(6 * ms);
});

it('the wait for a confirmation is bounded', () => {
  expect([1, 10, 30, 3600].map((patience) => timeLimits(patience).confirmMs)).toEqual([
    10_000, 10_000, 30_000, 600_000,
  ]);
});

it('the observed patience grows with the survey of a node, up to three times the configured patience', () => {
  expect(observedPatienceS(10, 100)).toBe(10);
  expect(observedPatienceS(10, 2000)).toBe(20);
  expect(observedPatienceS(10, 60_000)).toBe(30);
  expect(observedPatienceS(60, 2000)).toBe(60);
});

it('secondsText formats times for people', () => {
  expect([300, 60_000, 1234].map(secondsText)).toEqual(['0.3 s', '60 s', '1.2 s']);
});
