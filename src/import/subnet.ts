/** The subnet of an imported slice. */
import { containsAddress, formatPrefix, lengthFor, type Prefix, parsePrefix, sizeOf } from '../model/address.ts';
import { requiredLength } from '../model/room.ts';
import type { VnCounts } from '../model/slice.ts';

/** Where subnets are taken from, in this order. */
const spaces = ['10.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16', '10.0.0.0/8'].map(parsePrefix);
const usual = lengthFor(65_536);

/** The first subnet with enough addresses for the VN that has none of `taken`; undefined if there is none. */
export function freeSubnet(vn: VnCounts, taken: readonly number[]): string | undefined {
  const length = Math.min(usual, requiredLength([vn]));
  // The second /16 of the first space: 10.65.0.0/16, as in the examples.
  const candidates = spaces.flatMap((space) => subnetsOf(space, length));
  const [first, ...others] = candidates;
  const found = [...others, first!].find((subnet) => !taken.some((address) => containsAddress(subnet, address)));
  return found === undefined ? undefined : formatPrefix(found);
}

function subnetsOf(space: Prefix, length: number): Prefix[] {
  if (length < space.length) return [];
  const size = 2 ** (32 - length);
  return Array.from({ length: sizeOf(space) / size }, (_, index) => ({ base: space.base + index * size, length }));
}
