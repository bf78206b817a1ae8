/** Repeatable random numbers: the same seed and labels give the same numbers on every machine. */

/**
 * xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), its state filled by
 * SplitMix32 from the seed and the labels. Returns x with 0 <= x < 1, a multiple of 2^-32.
 */
export function randomOf(seed: number, ...labels: readonly (string | number)[]): () => number {
  let filler = hashOf(JSON.stringify([seed, ...labels]));
  const [a, b, c, d] = [1, 2, 3, 4].map(() => {
    filler = (filler + 0x9e3779b9) | 0;
    let mixed = Math.imul(filler ^ (filler >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  }) as [number, number, number, number];
  let state: readonly [number, number, number, number] = [a, b, c, d];
  return () => {
    const [s0, s1, s2, s3] = state;
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
    const [t2, t3] = [s2 ^ s0, s3 ^ s1];
    state = [s0 ^ t3, s1 ^ t2, t2 ^ (s1 << 9), rotate(t3, 11)];
    return result / 2 ** 32;
  };
}

/** Returns the items in a random order (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const chosen = Math.floor(random() * (last + 1));
    [order[last], order[chosen]] = [order[chosen]!, order[last]!];
  }
  return order;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
