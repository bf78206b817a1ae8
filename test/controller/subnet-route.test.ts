import { expect, it } from 'vitest';
import { setUpAccess } from '../../src/controller/batches/access.ts';
import { formatPrefix } from '../../src/model/address.ts';
import type { Slice } from '../../src/model/slice.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const file = readSlice(gallery('two-node'));
const vn = file.vns[0]!;
const hosts = vn.endHosts.map(({ node }) => node);
const names = {
  address: () => '192.0.2.1',
  port: () => 20_001,
  tunnelKey: () => '00',
  namespacePrefix: () => 'pv-',
  resilient: () => true,
  gates: () => true,
};

/** The nodes that get a route to the whole subnet of the slice. */
function withSubnetRoute(slice: Slice): string[] {
  const batches = setUpAccess({ ...planVn(slice, vn), names, mtu: 1450, urpf: 'strict' });
  const isForSubnet = (operation: object) => 'prefix' in operation && operation.prefix === formatPrefix(slice.vnet);
  return [...batches].filter(([, operations]) => operations.some(isForSubnet)).map(([node]) => node);
}

it('an end host has a route to the whole subnet, so that it gets ICMP messages of routers', () => {
  expect(withSubnetRoute(file).toSorted()).toEqual(hosts.toSorted());
});

it('a gateway of another VN of the slice has no route to the whole subnet, which would forward packets of that VN', () => {
  const [shared, ...others] = hosts;
  const gateways = vn.gateways.map((gateway, index) => (index === 0 ? { ...gateway, node: shared! } : gateway));
  const slice = { ...file, vns: [vn, { ...vn, name: 'other', gateways }] };
  expect(withSubnetRoute(slice)).toEqual(others);
});
