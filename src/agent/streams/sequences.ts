const pageBits = 16;
const pageNumbers = 2 ** pageBits;

/** A set of sequence numbers that only grows: one bit each, in pages of 8 KiB that are allocated on first use. */
export interface SequenceSet {
  /** Adds a number (0 to 2^32 - 1); returns false if the set already has it. */
  add(sequence: number): boolean;
}

export function createSequenceSet(): SequenceSet {
  const pages = new Map<number, Uint8Array>();

  function pageOf(sequence: number): Uint8Array {
    const index = sequence >>> pageBits;
    const existing = pages.get(index);
    if (existing !== undefined) return existing;
    const page = new Uint8Array(pageNumbers / 8);
    pages.set(index, page);
    return page;
  }

  return {
    add(sequence) {
      const page = pageOf(sequence);
      const byte = (sequence & (pageNumbers - 1)) >>> 3;
      const bit = 1 << (sequence & 7);
      const before = page[byte] ?? 0;
      page[byte] = before | bit;
      return (before & bit) === 0;
    },
  };
}
