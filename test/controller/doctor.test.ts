import { expect, it } from 'vitest';
import { featuresFor, movableDaemons } from '../../src/controller/doctor.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { Feature, NodeFacts } from '../../src/vsys/messages.ts';
import { livingSlice } from '../support/living-slice.ts';

const names = [
  'root',
  'vxlan',
  'nexthop-groups',
  'resilient-groups',
  'nexthop-compat-off',
  'rp-filter',
  'realtime',
  'ifb-gate',
] as const;
const none: Feature[] = names.map((name) => ({ name, available: false }));

it.each([
  ['gw1', names],
  ['h1', ['root', 'vxlan', 'nexthop-groups', 'rp-filter']],
  ['n1', ['root', 'vxlan', 'nexthop-groups']],
])('doctor checks node %s only for the features that its roles need', (node, asked) => {
  const slice = readSlice('slices/two-node.yaml');
  expect(featuresFor(slice, node, none).map(({ name }) => name)).toEqual(asked);
});

it('doctor shows the routing daemons that a node has, and misses none that no router needs', () => {
  const slice = readSlice('slices/two-node.yaml');
  const frr = { name: 'frr', available: true, detail: 'version 8.4.4' } as const;
  expect(featuresFor(slice, 'n1', [{ name: 'bird', available: false }, frr])).toEqual([frr]);
});

it('doctor misses CRIU only where a router with BIRD may be', () => {
  const criu: Feature = { name: 'criu', available: false };
  const slice = livingSlice(['bird', 'frr', 'frr', 'frr'], 'ospf');
  // Router a is on p1 or p3.
  expect(['p1', 'p2', 'p3', 'h1'].map((node) => featuresFor(slice, node, [criu]).length)).toEqual([1, 0, 1, 0]);
});

it('doctor says in which ways the daemons of a node can move, and why not in others', () => {
  const slice = livingSlice(['bird', 'frr', 'bird', 'frr'], 'ospf');
  const factsOf = (...features: Feature[]) => ({ features }) as unknown as NodeFacts;
  const bird: Feature = { name: 'bird', available: true, detail: 'version 2.0.12' };
  const frr: Feature = { name: 'frr', available: true, detail: 'version 7.5.1' };
  const noCriu: Feature = { name: 'criu', available: false, detail: "there is no 'criu' (CRIU 4.2 or newer)" };
  expect(movableDaemons(slice, factsOf(bird, { name: 'criu', available: true }))).toEqual([
    { kind: 'bird', ways: ['checkpoint', 'graceful', 'restart'], lacks: [] },
  ]);
  expect(movableDaemons(slice, factsOf(bird, frr, noCriu))).toEqual([
    {
      kind: 'bird',
      ways: ['graceful', 'restart'],
      lacks: ["checkpoint: there is no 'criu' (CRIU 4.2 or newer)"],
    },
    {
      kind: 'frr',
      ways: ['restart'],
      lacks: ['checkpoint: CRIU cannot restore FRR', 'graceful: has frr 7.5.1, which has no graceful restart for OSPF'],
    },
  ]);
  expect(movableDaemons(readSlice('slices/two-node.yaml'), factsOf(bird))).toEqual([]);
});

it('doctor asks only nodes with routing daemons whether OSPF packets can be copied and held', () => {
  const lacking = [{ name: 'control-packets', available: false }] as const;
  expect(featuresFor(readSlice('slices/two-node.yaml'), 'n1', lacking)).toEqual([]);
  const living = readSlice('slices/abilene-ospf.yaml');
  const [node] = [...living.vns[0]!.placements.values()][0]!.values();
  expect(featuresFor(living, node!, lacking)).toEqual(lacking);
});
