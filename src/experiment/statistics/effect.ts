import type { Interval } from './median-interval.ts';
import type { Summary } from './summary.ts';

/** How the median of `b` compares to that of `a`, with its 95 % interval. */
export interface Effect {
  /** `ratio`: b / a. `difference`: b - a, where a ratio says nothing since a median or its interval touches 0. */
  readonly kind: 'ratio' | 'difference';
  readonly value: number;
  /** Null if one of the two has too few values for an interval. */
  readonly interval: Interval | null;
  /** Whether the interval excludes equality; without an interval nothing is shown. */
  readonly isShown: boolean;
}

/**
 * Compares the medians of two independent sets of runs; null if one has no values.
 *
 * The interval is computed from those of the two medians, each side from the distances that matter for it (the method
 * of variance estimates recovery: Donner and Zou, Statistical Methods in Medical Research 21, 2012), for a ratio on the
 * logarithms. It needs no assumption about the distributions and is slightly wider than 95 % confidence needs, so it
 * rather shows too few differences than too many.
 */
export function effectOf(a: Summary, b: Summary): Effect | null {
  if (a.median === null || b.median === null) return null;
  const isRatio = leastOf(a) > 0 && leastOf(b) > 0;
  if (!isRatio) return { kind: 'difference', ...differenceOf(a, b, (value) => value) };
  const { value, interval, isShown } = differenceOf(a, b, Math.log);
  return {
    kind: 'ratio',
    value: Math.exp(value),
    interval: interval && { low: Math.exp(interval.low), high: Math.exp(interval.high) },
    isShown,
  };
}

function leastOf({ median, interval }: Summary): number {
  return Math.min(median!, interval?.low ?? median!);
}

/** The difference of the medians, b - a, on the given scale. */
function differenceOf(a: Summary, b: Summary, scale: (value: number) => number): Omit<Effect, 'kind'> {
  const [from, to] = [scale(a.median!), scale(b.median!)];
  const value = to - from;
  if (a.interval === null || b.interval === null) return { value, interval: null, isShown: false };
  const interval = {
    low: value - Math.hypot(to - scale(b.interval.low), scale(a.interval.high) - from),
    high: value + Math.hypot(scale(b.interval.high) - to, from - scale(a.interval.low)),
  };
  return { value, interval, isShown: interval.low > 0 || interval.high < 0 };
}
