/** The confidence of all intervals. */
export const confidence = 0.95;

/** With fewer values, even the interval from the least to the largest contains the median less often than that. */
export const fewestForInterval = 6;

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * The 95 % confidence interval of the median of the distribution that the values come from; null below
 * `fewestForInterval` values. The values must be in ascending order, and independent of each other.
 *
 * The interval lies between order statistics, whose confidence is exactly known from the binomial distribution whatever
 * the distribution of the values is, and is interpolated between the two nearest confidences (Hettmansperger and
 * Sheather, Statistics & Probability Letters 4, 1986). Unlike the bootstrap of a median it keeps its confidence for few
 * values (docs/decisions/0045-intervals-of-medians-from-order-statistics.md). It needs no random numbers. Where many
 * values are equal, as small counts are, its confidence is larger than 95 %.
 */
export function medianInterval(sorted: readonly number[]): Interval | null {
  const n = sorted.length;
  if (n < fewestForInterval) return null;
  const { depth, inner, outer } = depthOf(n);
  // The share of the way from the outer interval to the inner one.
  const excess = (outer - confidence) / (outer - inner);
  const share = ((n - depth) * excess) / (depth + (n - 2 * depth) * excess);
  const between = (from: number, to: number) => from + share * (to - from);
  return {
    low: between(sorted[depth - 1]!, sorted[depth]!),
    high: between(sorted[n - depth]!, sorted[n - depth - 1]!),
  };
}

/**
 * The largest depth d whose interval, from the d-th value to the d-th last, has at least 95 % confidence (`outer`), and
 * the confidence of the next one (`inner`): 1 - 2 P(B < d), where B counts the heads of n tosses of a coin.
 */
function depthOf(n: number): { depth: number; outer: number; inner: number } {
  let logProbability = -n * Math.LN2;
  let tail = Math.exp(logProbability);
  let outer = 1;
  for (let depth = 1; ; depth += 1) {
    const inner = 1 - 2 * tail;
    if (inner < confidence) return { depth: depth - 1, outer, inner };
    outer = inner;
    logProbability += Math.log((n - depth + 1) / depth);
    tail += Math.exp(logProbability);
  }
}
