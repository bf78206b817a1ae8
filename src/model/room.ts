/**
 * How a slice's subnet is divided. From the bottom: two addresses per end host (the gateway's side and the end host's).
 * From the top downward: one block per slot for its instance, so that old and new instances never share an address:
 *
 *     base                                                                base + size
 *     | access: 2 per end host | unused ... | block of slot 1 | block of slot 0 |
 *
 * All blocks have the same size, a power of two, so every block is a prefix.
 */
import { lengthFor, type Prefix, sizeOf } from './address.ts';
import { VnmError } from './errors.ts';
import { maxSlots } from './ids.ts';
import type { Slice, VnCounts } from './slice.ts';

/** The parts of a slice that its division depends on. */
export type SliceRoom = Pick<Slice, 'name' | 'vnet'> & { readonly vns: readonly VnCounts[] };

/** A VN has one slot, and two while it migrates. */
const slotsPerVn = 2;

/** The most VNs in one slice such that all of them can migrate at once. */
export const maxVns = Math.floor(maxSlots / slotsPerVn);

/**
 * The addresses of one block: two per link and gateway of the VN with the most of them, rounded up to a power of two.
 */
export function blockSize(vns: readonly VnCounts[]): number {
  const tunnels = vns.reduce((most, vn) => Math.max(most, vn.links.length + vn.gateways.length), 1);
  return roundToPower(2 * tunnels);
}

/** The addresses at the bottom that no block may use: two per end host, rounded up to whole blocks. */
export function accessSize(vns: readonly VnCounts[]): number {
  const endHosts = vns.reduce((sum, vn) => sum + vn.endHosts.length, 0);
  const block = blockSize(vns);
  return Math.ceil((2 * endHosts) / block) * block;
}

/** The addresses that a slice with these VNs needs: the access part, and two blocks per VN (old and new instance). */
export function roomNeeded(vns: readonly VnCounts[]): number {
  return accessSize(vns) + slotsPerVn * vns.length * blockSize(vns);
}

/** The length of the smallest prefix with enough addresses. */
export function requiredLength(vns: readonly VnCounts[]): number {
  return lengthFor(roomNeeded(vns));
}

/** The number of instances that fit at once: the blocks above the access part, at most `maxSlots`. */
export function slotCount(slice: SliceRoom): number {
  const free = sizeOf(slice.vnet) - accessSize(slice.vns);
  return Math.min(maxSlots, Math.max(0, Math.floor(free / blockSize(slice.vns))));
}

/** The addresses of the instance in `slot`. Throws VnmError `invalid-input` for a slot that does not fit. */
export function instanceBlock(slice: SliceRoom, slot: number): Prefix {
  const slots = slotCount(slice);
  if (!Number.isInteger(slot) || slot < 0 || slot >= slots) {
    throw new VnmError('invalid-input', `slice '${slice.name}' has no slot ${slot}`, {
      hint: `its subnet has room for ${slots} instances`,
    });
  }
  const size = blockSize(slice.vns);
  return { base: slice.vnet.base + sizeOf(slice.vnet) - (slot + 1) * size, length: lengthFor(size) };
}

/**
 * The two addresses between an end host and its gateway. `endHostIndex` counts the end hosts of the whole slice, VNs in
 * file order. Throws VnmError `invalid-input` for an index the slice does not have.
 */
export function accessAddresses(slice: SliceRoom, endHostIndex: number): { gateway: number; host: number } {
  const endHosts = slice.vns.reduce((sum, vn) => sum + vn.endHosts.length, 0);
  if (!Number.isInteger(endHostIndex) || endHostIndex < 0 || endHostIndex >= endHosts) {
    throw new VnmError('invalid-input', `slice '${slice.name}' has no end host number ${endHostIndex}`, {
      hint: `it has ${endHosts}, counted from 0`,
    });
  }
  const gateway = slice.vnet.base + 2 * endHostIndex;
  return { gateway, host: gateway + 1 };
}

function roundToPower(count: number): number {
  return 2 ** (32 - lengthFor(count));
}
