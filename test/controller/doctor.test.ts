import { expect, it } from 'vitest';
import { featuresFor } from '../../src/controller/doctor.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { Feature } from '../../src/vsys/messages.ts';

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
