/** Repeatable random numbers: the same seed and run give the same numbers. */
export interface Random {
  /** Returns x with 0 <= x < 1. */
  next(): number;
  pick<T>(values: readonly T[]): T;
}

/** Mulberry32. */
export function randomOf(seed: number, run: number): Random {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(run + 1, 0xc2b2ae35);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { next, pick: (values) => values[Math.floor(next() * values.length)]! };
}
