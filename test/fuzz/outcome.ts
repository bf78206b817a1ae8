import type { RunDetails } from 'fast-check';

/** Throws for the smallest counterexample found, as `show` writes it, with the seed that finds it again. */
export function requireSuccess<T>(
  { failed, seed, counterexample, errorInstance }: RunDetails<[T]>,
  show: (value: T) => string,
): void {
  if (!failed) return;
  const shown = counterexample === null ? '' : `\n${show(counterexample[0]).slice(0, 4000)}`;
  throw new Error(`with seed ${seed}: ${String(errorInstance)}${shown}`, { cause: errorInstance });
}
