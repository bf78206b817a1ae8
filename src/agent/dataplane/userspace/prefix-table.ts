/**
 * Longest-prefix match by a trie of four levels, one for each byte of an address: a look-up takes at most four reads,
 * however many prefixes there are. A node has an entry for each value of its byte, which leads to a node of the next
 * level or names the prefix that matches; shorter prefixes are copied into the nodes below them (controlled prefix
 * expansion), so a look-up never goes back.
 */
import type { Prefix } from '../../../model/address.ts';

const entriesPerNode = 256;
const addressBits = 32;

export interface PrefixTable {
  /** Position of the longest prefix that contains the address (an unsigned 32-bit integer); -1 where none does. */
  find(address: number): number;
}

/** Positions count from 0 in the order given. Of equal prefixes the last one counts. */
export function createPrefixTable(prefixes: readonly Prefix[]): PrefixTable {
  // Of an entry: 0 nothing, n > 0 the prefix at position n - 1, n < 0 the node -n of the next level.
  let entries = new Int32Array(entriesPerNode);
  let nodes = 1;

  function addNode(inherited: number): number {
    const start = nodes * entriesPerNode;
    if (start === entries.length) {
      const larger = new Int32Array(entries.length * 2);
      larger.set(entries);
      entries = larger;
    }
    entries.fill(inherited, start, start + entriesPerNode);
    nodes += 1;
    return nodes - 1;
  }

  function insert({ base, length }: Prefix, value: number): void {
    let node = 0;
    let shift = addressBits - 8;
    for (; length > addressBits - shift; shift -= 8) {
      const at = node * entriesPerNode + ((base >>> shift) & 255);
      // By ascending length no entry that this overwrites is a longer prefix.
      if (entries[at]! >= 0) {
        // It may put another array in the place of this one.
        const added = addNode(entries[at]!);
        entries[at] = -added;
      }
      node = -entries[at]!;
    }
    const first = node * entriesPerNode + ((base >>> shift) & 255);
    entries.fill(value, first, first + 2 ** (addressBits - shift - length));
  }

  for (const position of byLength(prefixes)) insert(prefixes[position]!, position + 1);
  const table = entries.slice(0, nodes * entriesPerNode);

  return {
    find(address) {
      let entry = table[address >>> 24]!;
      if (entry >= 0) return entry - 1;
      entry = table[-entry * entriesPerNode + ((address >>> 16) & 255)]!;
      if (entry >= 0) return entry - 1;
      entry = table[-entry * entriesPerNode + ((address >>> 8) & 255)]!;
      if (entry >= 0) return entry - 1;
      return table[-entry * entriesPerNode + (address & 255)]! - 1;
    },
  };
}

/** Positions of the prefixes, the shortest first. */
function byLength(prefixes: readonly Prefix[]): number[] {
  const positions: number[][] = Array.from({ length: addressBits + 1 }, () => []);
  for (const [position, { length }] of prefixes.entries()) positions[length]!.push(position);
  return positions.flat();
}
