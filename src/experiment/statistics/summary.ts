import { type Interval, medianInterval } from './median-interval.ts';
import { ascending, quantile } from './quantile.ts';

/** What a set of runs measured. Numbers have the unit of the values; null where there are too few. */
export interface Summary {
  /** How many values there are. */
  readonly n: number;
  /** How many runs failed, and so have no value. */
  readonly failed: number;
  readonly median: number | null;
  readonly p5: number | null;
  readonly p95: number | null;
  /** The 95 % confidence interval of the median (`medianInterval`). */
  readonly interval: Interval | null;
}

/** Summarizes the values of the runs that completed; values that are not finite do not count. */
export function summarize(values: readonly number[], failed: number): Summary {
  const sorted = ascending(values);
  if (sorted.length === 0) return { n: 0, failed, median: null, p5: null, p95: null, interval: null };
  return {
    n: sorted.length,
    failed,
    median: quantile(sorted, 0.5),
    p5: quantile(sorted, 0.05),
    p95: quantile(sorted, 0.95),
    interval: medianInterval(sorted),
  };
}

/**
 * How wide the interval of the median is in percent of the median, for "stop when it is narrower than x %". Infinite
 * without an interval, and 0 where all of the interval is one value.
 */
export function intervalWidthPercent({ median, interval }: Summary): number {
  if (median === null || interval === null) return Number.POSITIVE_INFINITY;
  const width = interval.high - interval.low;
  return width === 0 ? 0 : (100 * width) / Math.abs(median);
}
