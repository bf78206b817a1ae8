import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, formatPrefix, type Prefix, parsePrefix, sizeOf } from '../../src/model/address.ts';
import { maxSlots } from '../../src/model/ids.ts';
import {
  accessAddresses,
  accessSize,
  blockSize,
  instanceBlock,
  requiredLength,
  roomNeeded,
  type SliceRoom,
  slotCount,
} from '../../src/model/room.ts';
import type { VnCounts } from '../../src/model/slice.ts';

const counts = (links: number, gateways: number, endHosts: number): VnCounts => ({
  links: { length: links },
  gateways: { length: gateways },
  endHosts: { length: endHosts },
});

const slice = (vnet: string, ...vns: VnCounts[]): SliceRoom => ({ name: 'three', vnet: parsePrefix(vnet), vns });

describe('room of a slice', () => {
  it('a block has two addresses per link and gateway of the largest VN, rounded up to a power of two', () => {
    expect(blockSize([counts(3, 3, 3)])).toBe(16);
    expect(blockSize([counts(1, 2, 2), counts(5, 4, 4)])).toBe(32);
    expect(blockSize([counts(4, 4, 4)])).toBe(16);
    expect(blockSize([counts(0, 0, 0)])).toBe(2);
  });

  it('a slice needs whole blocks for the end hosts of all VNs, and two blocks per VN', () => {
    const vns = [counts(3, 3, 3), counts(1, 2, 6)];
    expect(accessSize(vns)).toBe(32);
    expect(roomNeeded(vns)).toBe(32 + 4 * 16);
    expect(requiredLength(vns)).toBe(25);
  });

  it('blocks go from the top of the subnet downward, end hosts from the bottom upward', () => {
    const three = slice('10.65.0.0/24', counts(3, 3, 3));
    expect(slotCount(three)).toBe(15);
    expect(formatPrefix(instanceBlock(three, 0))).toBe('10.65.0.240/28');
    expect(formatPrefix(instanceBlock(three, 14))).toBe('10.65.0.16/28');
    const second = accessAddresses(three, 1);
    expect([second.gateway, second.host].map(formatAddress)).toEqual(['10.65.0.2', '10.65.0.3']);
  });

  it('a slot does not overlap the access part', () => {
    expect(slotCount(slice('10.65.0.0/26', counts(3, 3, 9)))).toBe(2);
    expect(slotCount(slice('10.65.0.0/30', counts(3, 3, 9)))).toBe(0);
  });

  it('slots and end hosts that the slice does not have are refused', () => {
    const three = slice('10.65.0.0/26', counts(3, 3, 3));
    for (const slot of [3, -1, 0.5]) {
      expect(() => instanceBlock(three, slot)).toThrow(
        expect.objectContaining({
          code: 'invalid-input',
          message: `slice 'three' has no slot ${slot}`,
          hint: 'its subnet has room for 3 instances',
        }),
      );
    }
    expect(() => accessAddresses(three, 3)).toThrow(
      expect.objectContaining({
        message: "slice 'three' has no end host number 3",
        hint: 'it has 3, counted from 0',
      }),
    );
  });

  it('addresses are unique and inside the subnet', () => {
    const small = fc.integer({ min: 0, max: 40 });
    const anyVn = fc.tuple(small, small, small).map((numbers) => counts(...numbers));
    fc.assert(
      fc.property(fc.array(anyVn, { minLength: 1, maxLength: 7 }), fc.integer({ min: 0, max: 6 }), (vns, spare) => {
        const length = Math.max(8, requiredLength(vns) - spare);
        const room: SliceRoom = { name: 'any', vnet: { base: 10 * 2 ** 24, length }, vns };
        const slots = slotCount(room);
        expect(slots).toBeGreaterThanOrEqual(2 * vns.length);
        expect(slots).toBeLessThanOrEqual(maxSlots);
        const endHosts = vns.reduce((sum, vn) => sum + vn.endHosts.length, 0);
        const parts = [
          ...Array.from({ length: slots }, (_, slot) => rangeOf(instanceBlock(room, slot))),
          ...Array.from({ length: endHosts }, (_, i) => [
            accessAddresses(room, i).gateway,
            accessAddresses(room, i).host,
          ]),
        ].toSorted((a, b) => a[0]! - b[0]!);
        const [first, last] = rangeOf(room.vnet);
        expect(parts[0]![0]).toBeGreaterThanOrEqual(first!);
        expect(parts.at(-1)![1]).toBeLessThanOrEqual(last!);
        for (const [i, part] of parts.slice(1).entries()) expect(part[0]).toBeGreaterThan(parts[i]![1]!);
      }),
    );
  });

  it('requiredLength returns the smallest prefix that is large enough', () => {
    const vns = [counts(3, 3, 3)];
    const vnet = (length: number) => ({ name: 'any', vnet: { base: 10 * 2 ** 24, length }, vns });
    expect(slotCount(vnet(requiredLength(vns)))).toBeGreaterThanOrEqual(2);
    expect(slotCount(vnet(requiredLength(vns) + 1))).toBeLessThan(2);
  });
});

function rangeOf(prefix: Prefix): number[] {
  return [prefix.base, prefix.base + sizeOf(prefix) - 1];
}
