import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { containsAddress, containsPrefix, parseAddress, parsePrefix } from '../../src/model/address.ts';
import { sliceIds } from '../../src/model/ids.ts';
import { slotCount } from '../../src/model/room.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { nexthopInto, planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { arbitrarySlice, gallery } from '../support/slices.ts';

describe('the address plan', () => {
  test('the two-node slice has this address plan on its initial placement', () => {
    const slice = readSlice(gallery('two-node'));
    const vn = slice.vns[0]!;
    const { block, links } = planInstance(slice, vn, vn.placements.get('initial')!, 0);
    expect(block).toBe('10.64.255.248/29');
    expect(links.map(({ kind, a, b }) => [kind, a.node, a.address, b.node, b.address])).toEqual([
      ['virtual', 'n1', '10.64.255.248', 'n2', '10.64.255.249'],
      ['gateway', 'gw1', '10.64.255.250', 'n1', '10.64.255.251'],
      ['gateway', 'gw2', '10.64.255.252', 'n2', '10.64.255.253'],
    ]);
    expect(planVn(slice, vn).access.map(({ prefix, hostEnd }) => [prefix, hostEnd.address])).toEqual([
      ['10.64.0.0/31', '10.64.0.1'],
      ['10.64.0.2/31', '10.64.0.3'],
    ]);
  });

  test('two instances share no address, name or tunnel id, and stay inside the subnet and the slice’s ranges', () => {
    fc.assert(
      fc.property(arbitrarySlice, fc.nat(14), fc.nat(14), (slice, first, second) => {
        const vn = slice.vns[0]!;
        const slots = slotCount(slice);
        fc.pre(first % slots !== second % slots);
        const ids = sliceIds(slice);
        const instances = [first % slots, second % slots].map((slot) =>
          planInstance(slice, vn, vn.placements.get('final')!, slot),
        );
        const ends = instances.flatMap(({ links }) => links.flatMap((link) => [link.a, link.b]));
        const access = planVn(slice, vn).access.flatMap((link) => [link.gatewayEnd, link.hostEnd]);
        for (const key of ['address', 'interface', 'mac'] as const) {
          const values = [...ends, ...access].map((end) => end[key]);
          expect(new Set(values).size).toBe(values.length);
        }
        for (const { address, interface: name } of [...ends, ...access]) {
          expect(containsAddress(slice.vnet, parseAddress(address))).toBe(true);
          expect(name.startsWith(ids.interfacePrefix) && name.length <= 15).toBe(true);
        }
        const vnis = [...instances.flatMap(({ links }) => links), ...planVn(slice, vn).access].map((link) => link.vni);
        expect(new Set(vnis).size).toBe(vnis.length);
        expect(vnis.every((vni) => vni >= ids.vnis.first && vni <= ids.vnis.last)).toBe(true);
        for (const { block, links } of instances) {
          expect(containsPrefix(slice.vnet, parsePrefix(block))).toBe(true);
          for (const link of links)
            expect(containsAddress(parsePrefix(block), parseAddress(link.a.address))).toBe(true);
        }
      }),
    );
  });

  test('nexthops of different gateways and slots differ', () => {
    const slice = readSlice(gallery('three-node'));
    const planned = planVn(slice, slice.vns[0]!);
    const all = [0, 1, 14].flatMap((slot) => planned.gateways.map((gateway) => nexthopInto(planned, gateway, slot)));
    expect(new Set(all).size).toBe(9);
  });
});
