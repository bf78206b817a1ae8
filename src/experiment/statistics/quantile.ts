/** Returns the finite numbers in ascending order. */
export function ascending(values: readonly number[]): number[] {
  return values.filter(Number.isFinite).sort((a, b) => a - b);
}

/**
 * The quantile of values in ascending order, 0 <= fraction <= 1: interpolated between the two nearest values, as R
 * (type 7) and NumPy do by default. NaN without values.
 */
export function quantile(sorted: readonly number[], fraction: number): number {
  if (sorted.length === 0) return Number.NaN;
  const place = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return below + (place - Math.floor(place)) * (above - below);
}
