import { expect, it } from 'vitest';
import { createLinks } from '../../src/testbed/impairment.ts';

it('without an impairment every packet leaves at once', () => {
  const links = createLinks({}, () => 0);
  expect(links.departure(1, 1500, 7)).toBe(7);
});

it('a link loses its share of the packets', () => {
  let next = 0;
  const links = createLinks({ lossRate: 0.25 }, () => (next++ % 100) / 100);
  const left = Array.from({ length: 1000 }, (_, at) => links.departure(1, 100, at)).filter((at) => at !== undefined);
  expect(left).toHaveLength(750);
});

it('a link with a rate sends one packet after the other, each direction on its own', () => {
  // 1,000 bytes take 8 ms.
  const links = createLinks({ rateBps: 1_000_000 }, () => 0);
  expect([0, 0, 0, 100].map((nowMs) => links.departure(1, 1000, nowMs))).toEqual([8, 16, 24, 108]);
  expect(links.departure(2, 1000, 0)).toBe(8);
});

it('a queue of more than 100 ms drops packets until it is shorter', () => {
  const links = createLinks({ rateBps: 1_000_000 }, () => 0);
  const departures = Array.from({ length: 20 }, () => links.departure(1, 1000, 0));
  expect(departures.filter((at) => at !== undefined)).toEqual(
    Array.from({ length: 13 }, (_, index) => 8 * (index + 1)),
  );
  expect(links.departure(1, 1000, 50)).toBe(112);
});
