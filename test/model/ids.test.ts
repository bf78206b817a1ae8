import { describe, expect, test } from 'vitest';
import { gateName } from '../../src/agent/dataplane/planner/gate.ts';
import {
  accessInterface,
  accessVni,
  leadNexthop,
  linkInterface,
  linkVni,
  maxNumber,
  maxPerSlot,
  maxSlots,
  memberNexthop,
  numbersNeeded,
  peerGroup,
  sliceIds,
} from '../../src/model/ids.ts';
import { defaultSliceNumber } from '../../src/model/slice.ts';

const vn = (links: number, gateways: number, endHosts: number) => ({
  links: { length: links },
  gateways: { length: gateways },
  endHosts: { length: endHosts },
});
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const slots = upTo(maxSlots);

describe('sliceIds', () => {
  test('names and ids of a slice with up to 256 links and gateways per VN are those of earlier versions', () => {
    for (const vns of [[], [vn(3, 3, 3)], [vn(0, 256, 256)], [vn(256, 0, 0), vn(1, 255, 1)]]) {
      const ids = sliceIds({ number: 968, vns });
      expect(ids).toEqual({
        interfacePrefix: 'pv0qw-',
        table: 50_968,
        rulePriority: 10_968,
        nexthops: { first: 63_438_848, last: 63_504_383 },
        vnis: { first: 3_964_928, last: 3_969_023 },
        slotSize: 256,
      });
      expect([linkVni(ids, 14, 255), accessVni(ids, 0), accessVni(ids, 255)]).toEqual([
        3_968_767, 3_968_768, 3_969_023,
      ]);
      expect(memberNexthop(ids, 14, 255)).toBe(63_442_687);
      expect([peerGroup(ids, 1), leadNexthop(peerGroup(ids, 1))]).toEqual([63_471_617, 63_488_001]);
      expect([linkInterface(ids, 10, 255, 'b'), accessInterface(ids, 255, 'gateway')]).toEqual([
        'pv0qw-al255b',
        'pv0qw-e255g',
      ]);
    }
  });

  test('a slice takes as many numbers as its largest part needs', () => {
    const cases = [
      [[vn(200, 57, 0)], 2],
      [[vn(0, 200, 0), vn(0, 57, 0)], 2],
      [[vn(1, 1, 500), vn(1, 1, 13)], 3],
      [[vn(3000, 1096, 1096)], 16],
    ] as const;
    for (const [vns, count] of cases) {
      expect(numbersNeeded(vns)).toBe(count);
      const { nexthops, vnis } = sliceIds({ number: 7, vns });
      const next = sliceIds({ number: 7 + count, vns: [] });
      expect([nexthops.last + 1, vnis.last + 1]).toEqual([next.nexthops.first, next.vnis.first]);
    }
  });

  test('the default number leaves room for all numbers that a slice takes', () => {
    for (const name of upTo(10_000).map((index) => `slice-${index}`)) {
      expect(defaultSliceNumber(name, 16) + 15).toBeLessThanOrEqual(maxNumber);
      expect(defaultSliceNumber(name, 16)).toBeGreaterThanOrEqual(1);
      expect(defaultSliceNumber(name, 1)).toBe(defaultSliceNumber(name));
    }
  });

  test.each([257, 1150, maxPerSlot])('no two objects of a slice with %i gateways share a name or an id', (count) => {
    const ids = sliceIds({ number: 4080, vns: [vn(0, count, count)] });
    const all = upTo(count);
    const inSlots = (id: (slot: number, index: number) => number) =>
      slots.flatMap((slot) => all.map((i) => id(slot, i)));
    const groups = all.map((index) => peerGroup(ids, index));
    const nexthops = [...inSlots((slot, i) => memberNexthop(ids, slot, i)), ...groups, ...groups.map(leadNexthop)];
    const vnis = [...inSlots((slot, i) => linkVni(ids, slot, i)), ...all.map((index) => accessVni(ids, index))];
    for (const [values, range] of [
      [nexthops, ids.nexthops],
      [vnis, ids.vnis],
    ] as const) {
      expect(new Set(values).size).toBe(values.length);
      expect(values.every((value) => value >= range.first && value <= range.last)).toBe(true);
    }
    // VNIs have 24 bits, nexthop ids 32.
    expect(ids.vnis.last < 2 ** 24 && ids.nexthops.last < 2 ** 32).toBe(true);
    const access = all.flatMap((index) =>
      (['gateway', 'host'] as const).map((side) => accessInterface(ids, index, side)),
    );
    const links = slots.flatMap((slot) =>
      all.flatMap((index) => (['a', 'b'] as const).map((side) => linkInterface(ids, slot, index, side))),
    );
    expect(new Set([...access, ...links]).size).toBe(access.length + links.length);
    expect(Math.max(...access.map((name) => gateName(name).length))).toBeLessThanOrEqual(15);
    expect(links.every((name) => name.length <= 15)).toBe(true);
  });
});
