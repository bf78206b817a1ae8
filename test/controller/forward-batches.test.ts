/** Which operations the forwards of a VN become. */
import { expect, it } from 'vitest';
import { setUpAccess, tearDownAccess } from '../../src/controller/batches/access.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const [a, b, c] = vn.endHosts.map(({ name }) => name) as [string, string, string];
const wanted = new Map([
  [
    a,
    [
      { port: 5353, to: c, toPort: 53 },
      { port: 6000, to: b, toPort: 6000 },
    ],
  ],
  [b, [{ port: 5353, to: c, toPort: 53 }]],
]);
const endHosts = vn.endHosts.map((one) => ({ ...one, forwards: wanted.get(one.name) ?? [] }));
const plan = planVn(slice, { ...vn, endHosts });
const [ofA, ofB, ofC] = [a, b, c].map((name) => plan.access.find(({ endHost }) => endHost === name)!.hostEnd);
const listening = (at: typeof ofA, localPort: number, to: typeof ofA, port: number) => ({
  side: 'listen',
  localPort,
  address: at!.address,
  to: { address: to!.address, port },
});

it('each side of a forward is an operation for its node, after the addresses; one delivery serves all', () => {
  const names = {
    address: () => '192.0.2.1',
    port: () => 20_001,
    tunnelKey: () => '00',
    namespacePrefix: () => 'pv-',
    resilient: () => true,
    gates: () => true,
  };
  const batches = setUpAccess({ ...plan, names, mtu: 1450, urpf: 'strict' });
  const lastOf = (node: string, count: number) => batches.get(node)!.slice(-count);
  expect(lastOf(ofA!.node, 2)).toEqual([
    { op: 'forward_up', ...listening(ofA, 5353, ofC, 53) },
    { op: 'forward_up', ...listening(ofA, 6000, ofB, 6000) },
  ]);
  expect(lastOf(ofB!.node, 2)).toEqual([
    { op: 'forward_up', side: 'deliver', address: ofB!.address, port: 6000 },
    { op: 'forward_up', ...listening(ofB, 5353, ofC, 53) },
  ]);
  const onC = batches.get(ofC!.node)!.filter(({ op }) => op === 'forward_up');
  expect(onC).toEqual([{ op: 'forward_up', side: 'deliver', address: ofC!.address, port: 53 }]);
});

it('what is taken down begins with the forwards', () => {
  const batches = tearDownAccess(plan, () => true);
  expect(batches.get(ofA!.node)!.map(({ op }) => op)).toEqual([
    'forward_down',
    'forward_down',
    'tunnel_down',
    'rule_down',
  ]);
  expect(batches.get(ofC!.node)![0]).toEqual({
    op: 'forward_down',
    side: 'deliver',
    address: ofC!.address,
    port: 53,
  });
});
