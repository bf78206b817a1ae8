/**
 * Longest-prefix match by a trie of eight levels, one for each four bits of an address: a look-up takes at most eight
 * reads, however many prefixes there are. A node has an entry for each value of its bits, which leads to a node of the
 * next level or names the prefix that matches; shorter prefixes are copied into the nodes below them (controlled prefix
 * expansion), so a look-up never goes back. A node fills one cache line: with larger nodes a look-up takes fewer reads,
 * but in large tables each waits for memory.
 */
import type { Prefix } from '../../../model/address.ts';
import { endsStep, type Steps } from './steps.ts';

const bitsPerLevel = 4;
const entriesPerNode = 2 ** bitsPerLevel;
const lastEntry = entriesPerNode - 1;
const addressBits = 32;
const firstShift = addressBits - bitsPerLevel;
const firstNodes = 64;

export interface PrefixTable {
  /** Position of the longest prefix that contains the address (an unsigned 32-bit integer); -1 where none does. */
  find(address: number): number;
}

/** Positions count from 0 in the order given. Of equal prefixes the last one counts. */
export function* preparePrefixTable(prefixes: readonly Prefix[]): Steps<PrefixTable> {
  const entries = yield* entriesOf(prefixes);
  return {
    find(address) {
      let shift = firstShift;
      let entry = entries[address >>> shift]!;
      while (entry < 0) {
        shift -= bitsPerLevel;
        entry = entries[((address >>> shift) & lastEntry) - entry]!;
      }
      return entry - 1;
    },
  };
}

/** Of an entry: 0 nothing, n > 0 the prefix at position n - 1, n < 0 the node of the next level that begins at -n. */
function* entriesOf(prefixes: readonly Prefix[]): Steps<Int32Array> {
  let entries = new Int32Array(firstNodes * entriesPerNode);
  let end = entriesPerNode;

  /** Returns where the node begins. */
  function addNode(inherited: number): number {
    const start = end;
    if (start === entries.length) {
      const larger = new Int32Array(entries.length * 2);
      larger.set(entries);
      entries = larger;
    }
    end += entriesPerNode;
    entries.fill(inherited, start, end);
    return start;
  }

  function insert({ base, length }: Prefix, value: number): void {
    let node = 0;
    let shift = firstShift;
    for (; length > addressBits - shift; shift -= bitsPerLevel) {
      const at = node + ((base >>> shift) & lastEntry);
      // By ascending length no entry that this overwrites is a longer prefix.
      if (entries[at]! >= 0) {
        // It may put another array in the place of this one.
        const added = addNode(entries[at]!);
        entries[at] = -added;
      }
      node = -entries[at]!;
    }
    const first = node + ((base >>> shift) & lastEntry);
    entries.fill(value, first, first + 2 ** (addressBits - shift - length));
  }

  let inserted = 0;
  for (const position of byLength(prefixes)) {
    insert(prefixes[position]!, position + 1);
    inserted += 1;
    if (endsStep(inserted)) yield;
  }
  return entries.slice(0, end);
}

/** Positions of the prefixes, the shortest first. */
function byLength(prefixes: readonly Prefix[]): number[] {
  const positions: number[][] = Array.from({ length: addressBits + 1 }, () => []);
  for (const [position, { length }] of prefixes.entries()) positions[length]!.push(position);
  return positions.flat();
}
