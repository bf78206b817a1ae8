import type { StreamReport } from '../../vsys/messages.ts';

/** How many delays a stream keeps for its quantiles (64 KiB). */
export const sampleSize = 8192;

type DelaySummary = NonNullable<StreamReport['delayMs']>;

export interface Delays {
  /** Adds a delay in ms; it is negative when the clocks of the two nodes differ by more than the path takes. */
  add(delayMs: number): void;
  /** Returns undefined if no delay was added. */
  summary(): DelaySummary | undefined;
}

/**
 * Summarizes delays: minimum and maximum of all, median and 99th percentile (nearest rank) of a uniform sample. These
 * are exact up to `sampleSize` delays; after that every delay so far is in the sample with equal probability (Vitter's
 * algorithm R). `random` returns numbers in [0, 1).
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
