import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DelayLine } from '../../src/testbed/delay-line.ts';

function releaseAll(line: DelayLine<string>, untilMs: number): string[] {
  const released: string[] = [];
  line.release(untilMs, (item) => released.push(item));
  return released;
}

test('an empty line has nothing due', () => {
  const line = new DelayLine<string>();
  expect(line.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
  expect(releaseAll(line, 1e9)).toEqual([]);
});

test('an item leaves when its delay has passed, not before', () => {
  const line = new DelayLine<string>();
  line.add('a', 10, 100);
  line.add('b', 2.5, 101);
  expect(line.nextDueMs()).toBe(103.5);
  expect(releaseAll(line, 103.4)).toEqual([]);
  expect(releaseAll(line, 103.5)).toEqual(['b']);
  expect(line.nextDueMs()).toBe(110);
  expect(releaseAll(line, 110)).toEqual(['a']);
  expect(line.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
});

test('every item leaves once, in the order of its delay, at the first release after it is due', () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 5 }),
    delayMs: fc.constantFrom(0.5, 1, 7, 20),
    release: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const line = new DelayLine<{ delayMs: number; dueMs: number; number: number }>();
      // The naive model: all waiting items, in order of arrival.
      let waiting: { delayMs: number; dueMs: number; number: number }[] = [];
      let nowMs = 0;
      for (const [number, { afterMs, delayMs, release }] of [
        ...steps,
        { afterMs: 100, delayMs: 1, release: true },
      ].entries()) {
        nowMs += afterMs;
        if (release) {
          const expected = waiting.filter(({ dueMs }) => dueMs <= nowMs);
          waiting = waiting.filter(({ dueMs }) => dueMs > nowMs);
          const released: typeof waiting = [];
          line.release(nowMs, (item) => released.push(item));
          for (const lane of [0.5, 1, 7, 20]) {
            const inLane = (item: { delayMs: number }) => item.delayMs === lane;
            expect(released.filter(inLane)).toEqual(expected.filter(inLane));
          }
        } else {
          const item = { delayMs, dueMs: nowMs + delayMs, number };
          line.add(item, delayMs, nowMs);
          waiting.push(item);
        }
        expect(line.nextDueMs()).toBe(Math.min(...waiting.map(({ dueMs }) => dueMs)));
      }
    }),
  );
});
