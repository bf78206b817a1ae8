import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomOf, shuffled } from '../../src/experiment/random.ts';
import { type PlannedRun, scheduleOf, shareOf } from '../../src/experiment/schedule.ts';

const plans = fc.record({
  seed: fc.nat(2 ** 32 - 1),
  repetitions: fc.integer({ min: 1, max: 12 }),
  combinations: fc
    .integer({ min: 1, max: 12 })
    .map((count) => Array.from({ length: count }, (_, index) => ({ number: index + 1, parameters: { D: index } }))),
});

const numbers = (runs: readonly PlannedRun[]) => runs.map(({ combination }) => combination.number);

describe('scheduleOf', () => {
  it('makes the same schedule for the same seed, and another one for another seed', () => {
    const combinations = Array.from({ length: 10 }, (_, index) => ({ number: index + 1, parameters: {} }));
    const schedule = (seed: number) => numbers(scheduleOf({ seed, repetitions: 3, combinations }));
    expect(schedule(7)).toEqual(schedule(7));
    expect(schedule(7)).not.toEqual(schedule(8));
    // Results of earlier versions depend on it.
    expect(schedule(1).slice(0, 10)).toEqual([4, 6, 2, 8, 3, 7, 10, 5, 9, 1]);
  });

  it('has every combination once in each repetition, and numbers the runs in their order', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const schedule = scheduleOf(plan);
        const count = plan.combinations.length;
        expect(schedule.map(({ run }) => run)).toEqual(
          Array.from({ length: count * plan.repetitions }, (_, i) => i + 1),
        );
        for (let repetition = 1; repetition <= plan.repetitions; repetition += 1) {
          const block = schedule.slice((repetition - 1) * count, repetition * count);
          expect(block.every((run) => run.repetition === repetition)).toBe(true);
          expect(numbers(block).toSorted((a, b) => a - b)).toEqual(plan.combinations.map(({ number }) => number));
        }
      }),
    );
  });
});

describe('shareOf', () => {
  it('gives every run to one shard, and shards differ by one run at most', () => {
    fc.assert(
      fc.property(plans, fc.integer({ min: 1, max: 20 }), (plan, count) => {
        const schedule = scheduleOf(plan);
        const shares = Array.from({ length: count }, (_, index) => shareOf(schedule, { index: index + 1, count }));
        expect(shares.flat().toSorted((a, b) => a.run - b.run)).toEqual(schedule);
        const sizes = shares.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is everything without shards', () => {
    const schedule = scheduleOf({ seed: 1, repetitions: 2, combinations: [{ number: 1, parameters: {} }] });
    expect(shareOf(schedule, undefined)).toEqual(schedule);
  });
});

describe('randomOf', () => {
  it('gives the same numbers for the same seed and labels, and others for others', () => {
    const some = (...labels: (string | number)[]) => {
      const random = randomOf(5, ...labels);
      return Array.from({ length: 5 }, random);
    };
    expect(some('a')).toEqual(some('a'));
    expect(some('a')).not.toEqual(some('b'));
    expect(some('a', 1)).not.toEqual(some('a', 2));
  });

  it('gives numbers that fill [0, 1) evenly', () => {
    for (const seed of [0, 1, 2 ** 32 - 1]) {
      const random = randomOf(seed);
      const bins = Array<number>(20).fill(0);
      for (let index = 0; index < 40_000; index += 1) bins[Math.floor(random() * 20)]! += 1;
      const chiSquare = bins.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
      // 19 degrees of freedom: above 43.8 in one of a thousand cases.
      expect(chiSquare).toBeLessThan(43.8);
    }
  });
});

it('shuffled gives each order of three items about equally often', () => {
  const random = randomOf(3);
  const counts = new Map<string, number>();
  for (let index = 0; index < 6000; index += 1) {
    const order = shuffled(['a', 'b', 'c'], random).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  expect(counts.size).toBe(6);
  // 5 degrees of freedom, one of a thousand cases.
  expect(chiSquare).toBeLessThan(20.5);
});
