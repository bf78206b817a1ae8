import { expect, it } from 'vitest';
import { nextRestart } from '../../../src/agent/daemons/restarts.ts';

it('a daemon starts again at once, then later and later, and not at all after five times in a minute', () => {
  const earlier: number[] = [];
  const delays = Array.from({ length: 6 }, (_, index) => {
    const delay = nextRestart(earlier, index);
    earlier.push(index);
    return delay;
  });
  expect(delays).toEqual([0, 250, 500, 1000, 2000, undefined]);
});

it('what was more than a minute ago does not count', () => {
  const five = [0, 1000, 2000, 3000, 4000];
  expect(nextRestart(five, 59_000)).toBeUndefined();
  expect(nextRestart(five, 60_000)).toBe(2000);
  expect(nextRestart(five, 120_000)).toBe(0);
});
