import type { StreamReport } from '../../vsys/messages.ts';

/** How many delays a stream keeps for its quantiles (64 KiB). */
export const sampleSize = 8192;

type DelaySummary = NonNullable<StreamReport['delayMs']>;

export interface Delays {
  /** In ms; negative when the clocks of the two nodes differ by more than the path takes. */
  add(delayMs: number): void;
  /** Undefined when nothing was added. */
  summary(): DelaySummary | undefined;
}

/**
 * Minimum and maximum of all delays, median and 99th percentile (nearest rank) of a uniform sample: exact up to
 * `sampleSize` delays, from then on each delay so far is in the sample with the same chance (Vitter's algorithm R).
 * `random` answers numbers in [0, 1).
 */
export function createDelays(random: () => number = Math.random): Delays {
  const sample: number[] = [];
  let seen = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;

  return {
    add(delayMs) {
      seen += 1;
      if (delayMs < min) min = delayMs;
      if (delayMs > max) max = delayMs;
      const place = seen <= sampleSize ? sample.length : Math.floor(random() * seen);
      if (place < sampleSize) sample[place] = delayMs;
    },
    summary() {
      if (seen === 0) return undefined;
      const sorted = sample.toSorted((a, b) => a - b);
      return { min, median: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max };
    },
  };
}

function quantile(sorted: readonly number[], fraction: number): number {
  return sorted[Math.ceil(fraction * sorted.length) - 1]!;
}
