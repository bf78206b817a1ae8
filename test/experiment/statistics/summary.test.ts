import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { effectOf } from '../../../src/experiment/statistics/effect.ts';
import { medianInterval } from '../../../src/experiment/statistics/median-interval.ts';
import { quantile } from '../../../src/experiment/statistics/quantile.ts';
import { intervalWidthPercent, summarize } from '../../../src/experiment/statistics/summary.ts';

const oneTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

describe('quantile', () => {
  test.each([
    [[7], 0.05, 7],
    [[1, 2, 3, 4], 0.5, 2.5],
    [[1, 2, 3], 0.5, 2],
    [oneTo(21), 0.05, 2],
    [oneTo(21), 0.95, 20],
    [[0, 10], 0.25, 2.5],
  ])('quantile of %j at %d returns %d', (sorted, fraction, expected) => {
    expect(quantile(sorted, fraction)).toBeCloseTo(expected, 12);
  });
});

describe('medianInterval', () => {
  // The confidences of the order statistics are 1 - 2 P(B < rank), with sums of binomial coefficients.
  test.each([
    [10, 2, 3, 1 - (2 * 11) / 2 ** 10, 1 - (2 * 56) / 2 ** 10],
    [20, 6, 7, 1 - (2 * 21_700) / 2 ** 20, 1 - (2 * 60_460) / 2 ** 20],
  ])(
    'medianInterval of %d values lies between the %dth and the %dth value',
    (n, outerRank, innerRank, outer, inner) => {
      const excess = (outer - 0.95) / (outer - inner);
      const share = ((n - outerRank) * excess) / (outerRank + (n - 2 * outerRank) * excess);
      const { low, high } = medianInterval(oneTo(n))!;
      expect(low).toBeCloseTo(outerRank + share * (innerRank - outerRank), 9);
      expect(high).toBeCloseTo(n + 1 - low, 9);
    },
  );

  test('medianInterval exists from six values on', () => {
    expect(medianInterval(oneTo(5))).toBeNull();
    const { low, high } = medianInterval(oneTo(6))!;
    expect([low > 1, low < 2, high > 5, high < 6]).toEqual([true, true, true, true]);
  });

  test('medianInterval of many values is about as wide as the normal approximation says', () => {
    const n = 20_000;
    const { low, high } = medianInterval(oneTo(n))!;
    expect((high - low) / (2 * 1.96 * Math.sqrt(n / 4))).toBeCloseTo(1, 2);
  });

  test('medianInterval contains the median, and moves and grows with the values', () => {
    const sample = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 6, maxLength: 60 });
    fc.assert(
      fc.property(sample, fc.integer({ min: 1, max: 9 }), (values, factor) => {
        const sorted = values.toSorted((a, b) => a - b);
        const { low, high } = medianInterval(sorted)!;
        const median = quantile(sorted, 0.5);
        expect(low).toBeLessThanOrEqual(median);
        expect(high).toBeGreaterThanOrEqual(median);
        const scaled = medianInterval(sorted.map((value) => factor * value + 5))!;
        expect(scaled.low).toBeCloseTo(factor * low + 5, 6);
        expect(scaled.high).toBeCloseTo(factor * high + 5, 6);
      }),
    );
  });
});

describe('summarize', () => {
  test('summarize sorts by number, counts failed runs and ignores what is no number', () => {
    const { interval, ...summary } = summarize([10, 9, Number.NaN, 100, 1, 2, 3, 4], 2);
    expect(summary).toEqual({ n: 7, failed: 2, median: 4, p5: 1.3, p95: expect.closeTo(73, 9) });
    expect(interval!.low).toBeGreaterThan(1);
  });

  test('summarize of no values has nothing but the number of failed runs', () => {
    expect(summarize([], 3)).toEqual({ n: 0, failed: 3, median: null, p5: null, p95: null, interval: null });
  });

  test('intervalWidthPercent is the width relative to the median', () => {
    const summary = summarize(oneTo(20), 0);
    const { low, high } = summary.interval!;
    expect(intervalWidthPercent(summary)).toBeCloseTo((100 * (high - low)) / 10.5, 9);
    expect(intervalWidthPercent(summarize(oneTo(5), 0))).toBe(Number.POSITIVE_INFINITY);
    expect(intervalWidthPercent(summarize([0, 0, 0, 0, 0, 0], 0))).toBe(0);
    expect(intervalWidthPercent(summarize([-2, -1, 0, 0, 1, 2], 0))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('effectOf', () => {
  const from = (values: number[]) => summarize(values, 0);
  const around = (middle: number) => from(oneTo(10).map((value) => middle + (value - 5.5) / 10));

  test('effectOf shows a ratio whose interval excludes 1', () => {
    const { kind, value, interval, isShown } = effectOf(around(10), around(20))!;
    expect([kind, isShown]).toEqual(['ratio', true]);
    expect(value).toBeCloseTo(2, 9);
    expect(interval!.low).toBeGreaterThan(1.9);
    expect(interval!.high).toBeLessThan(2.1);
  });

  test('effectOf shows no difference where the interval contains 1', () => {
    expect(effectOf(around(10), around(10.1))).toMatchObject({ kind: 'ratio', isShown: false });
    expect(effectOf(around(10), around(10))).toMatchObject({ value: 1, isShown: false });
  });

  test('effectOf of swapped sets is the reciprocal', () => {
    const there = effectOf(around(10), around(13))!;
    const back = effectOf(around(13), around(10))!;
    expect(back.value).toBeCloseTo(1 / there.value, 9);
    expect(back.interval!.low).toBeCloseTo(1 / there.interval!.high, 9);
    expect(back.interval!.high).toBeCloseTo(1 / there.interval!.low, 9);
  });

  test('effectOf is a difference where a median or its interval is not above 0', () => {
    const zero = from([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(effectOf(zero, zero)).toEqual({
      kind: 'difference',
      value: 0,
      interval: { low: 0, high: 0 },
      isShown: false,
    });
    expect(effectOf(zero, around(4))).toMatchObject({ kind: 'difference', value: 4, isShown: true });
    expect(effectOf(around(4), zero)).toMatchObject({ kind: 'difference', value: -4, isShown: true });
    expect(effectOf(from([0, 0, 1, 2, 3, 3, 3, 4]), around(4))).toMatchObject({ kind: 'difference', value: 1.5 });
    expect(effectOf(around(-3), around(-2))).toMatchObject({ kind: 'difference', isShown: true });
  });

  test('effectOf without an interval shows nothing, and is null without values', () => {
    expect(effectOf(from([1, 2, 3]), around(9))).toEqual({ kind: 'ratio', value: 4.5, interval: null, isShown: false });
    expect(effectOf(from([]), around(9))).toBeNull();
  });
});
