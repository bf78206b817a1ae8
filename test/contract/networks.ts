/**
 * What the contract's tests apply: to one node one thing of every kind, and to two nodes two ways from one to the
 * other.
 */
import type { Inventory } from '../../src/vsys/messages.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import type { NodeUnderTest } from './under-test.ts';

export const macOf = (last: number) => `02:50:0a:41:00:${last.toString(16).padStart(2, '0')}`;

export const theGroup = 65_540;
export const members = [65_536, 65_537] as const satisfies number[];
/** Addresses of the two nodes themselves. */
export const [here, there] = ['10.65.10.1', '10.65.20.1'];
/** MTUs of the tunnels of the two ways. */
export const wayMtus = [1400, 1300] as const;

const far = { remote: '192.0.2.9', port: 4790, mtu: 1400 };

type TunnelUp = Extract<OperationInput, { op: 'tunnel_up' }>;

interface TunnelEnd {
  readonly interface: string;
  readonly namespace?: string;
  readonly mac: string;
  readonly mtu: number;
  readonly vni: number;
  readonly remote: string;
  readonly port: number;
  readonly gateable?: boolean;
}

/** One end of a tunnel between nodes, of the kind that the node has. */
export function tunnelUp({ tunnelKind }: Pick<NodeUnderTest, 'tunnelKind'>, { mac, ...end }: TunnelEnd): TunnelUp {
  if (tunnelKind === 'vxlan') return { op: 'tunnel_up', kind: 'vxlan', mac, ...end };
  return { op: 'tunnel_up', kind: 'udp', instance: 3, key: '0123456789abcdef', ...end };
}

/** As the inventory and differences name such a tunnel. */
export function describeTunnel({ tunnelKind }: Pick<NodeUnderTest, 'tunnelKind'>, vni: number): string {
  const end = `to ${far.remote}:${far.port}`;
  return tunnelKind === 'vxlan'
    ? `a vxlan with VNI ${vni} ${end}`
    : `a UDP tunnel with number ${vni} of instance 3 ${end}`;
}

function vif(name: string, address: string, peer: string, peerMac: number, namespace?: string): OperationInput {
  const place = namespace === undefined ? {} : { namespace };
  return { op: 'vif_up', interface: name, ...place, address, peer: { address: peer, mac: macOf(peerMac) } };
}

function route(prefix: string, more: object): OperationInput {
  return { op: 'vroute', action: 'add', prefix, ...more };
}

/**
 * Returns every operation, the inventory after all of them, and the operations that remove everything; each changes
 * something.
 */
export function everything(
  node: Pick<NodeUnderTest, 'tunnelKind'>,
  router: string,
): { up: OperationInput[]; inventory: Inventory; down: OperationInput[] } {
  const local = { interface: 'pv001-r', namespace: router, mac: macOf(2) };
  const up: OperationInput[] = [
    { op: 'rule_up' },
    { op: 'netns_up', namespace: router, urpf: 'strict' },
    { op: 'tunnel_up', kind: 'local', interface: 'pv001-g', mac: macOf(1), mtu: 1400, peer: local },
    tunnelUp(node, { interface: 'pv001-v', mac: macOf(3), vni: 4097, ...far, gateable: true }),
    tunnelUp(node, { interface: 'pv001-w', namespace: router, mac: macOf(5), vni: 4098, ...far }),
    vif('pv001-g', '10.65.0.1', '10.65.0.2', 2),
    vif('pv001-r', '10.65.0.2', '10.65.0.1', 1, router),
    vif('pv001-v', '10.65.0.3', '10.65.0.4', 4),
    { op: 'gate_up', interface: 'pv001-g', limitBytes: 8_000_000 },
    { op: 'nexthop_up', id: members[0], via: '10.65.0.2', interface: 'pv001-g' },
    { op: 'nexthop_up', id: members[1], via: '10.65.0.4', interface: 'pv001-v' },
    { op: 'group_up', id: theGroup, members: [...members], active: members[0], resilient: true },
    route('10.65.9.0/24', { nexthopId: theGroup }),
    route('10.65.10.0/24', { nexthopId: members[1], source: '10.65.0.3' }),
    route('10.65.11.0/24', { nexthops: [{ interface: 'pv001-g', via: '10.65.0.2' }], metric: 5 }),
    route('10.65.9.0/24', { namespace: router, nexthops: [{ interface: 'pv001-r', via: '10.65.0.1' }] }),
    route('10.65.13.0/24', { namespace: router, type: 'prohibit' }),
  ];
  const link = { up: true, mtu: 1400 };
  const ends = { kind: node.tunnelKind, remote: far.remote, port: far.port };
  const tunnelMac = (last: number) => (node.tunnelKind === 'vxlan' ? { mac: macOf(last) } : {});
  const fixture = { type: 'unicast', protocol: '245' } as const;
  const own = { type: 'unicast', protocol: '246' } as const;
  const over = (name: string, via?: string) => [{ interface: name, ...(via === undefined ? {} : { via }), weight: 1 }];
  const inventory: Inventory = {
    namespaces: [router],
    interfaces: [
      {
        ...{ name: 'pv001-g', kind: 'veth', ...link, mac: macOf(1), addresses: ['10.65.0.1/32'] },
        peer: { name: 'pv001-r', namespace: router },
      },
      {
        ...{ name: 'pv001-g.ifb', kind: 'ifb', ...link, mac: macOf(1), addresses: [] },
        gate: { interface: 'pv001-g', closed: false },
      },
      { name: 'pv001-v', ...link, ...tunnelMac(3), vni: 4097, ...ends, addresses: ['10.65.0.3/32'] },
      {
        ...{ namespace: router, name: 'pv001-r', kind: 'veth', ...link, mac: macOf(2), addresses: ['10.65.0.2/32'] },
        peer: { name: 'pv001-g' },
      },
      {
        ...{ namespace: router, name: 'pv001-w', ...link, up: false, ...tunnelMac(5), vni: 4098 },
        ...{ ...ends, addresses: [] },
      },
    ],
    routes: [
      { prefix: '0.0.0.0/0', type: 'unreachable', nexthops: [], metric: 4_278_198_272, protocol: '245' },
      { prefix: '10.65.0.2/32', ...fixture, nexthops: over('pv001-g') },
      { prefix: '10.65.0.4/32', ...fixture, nexthops: over('pv001-v') },
      { prefix: '10.65.10.0/24', ...own, nexthops: [], nexthopId: members[1], source: '10.65.0.3' },
      { prefix: '10.65.11.0/24', ...own, nexthops: over('pv001-g', '10.65.0.2'), metric: 5 },
      { prefix: '10.65.9.0/24', ...own, nexthops: [], nexthopId: theGroup },
      { namespace: router, prefix: '10.65.0.1/32', ...fixture, nexthops: over('pv001-r') },
      { namespace: router, prefix: '10.65.13.0/24', type: 'prohibit', nexthops: [], protocol: '246' },
      { namespace: router, prefix: '10.65.9.0/24', ...own, nexthops: over('pv001-r', '10.65.0.1') },
    ],
    nexthops: [
      { id: members[0], via: '10.65.0.2', interface: 'pv001-g' },
      { id: members[1], via: '10.65.0.4', interface: 'pv001-v' },
      { id: theGroup, group: [...members], active: members[0], resilient: true },
    ],
    rules: true,
  };
  const down: OperationInput[] = [
    { op: 'vroute', action: 'delete', prefix: '10.65.9.0/24' },
    { op: 'vroute', action: 'delete', prefix: '10.65.10.0/24' },
    { op: 'group_down', id: theGroup },
    { op: 'nexthop_down', id: members[1] },
    { op: 'nexthop_down', id: members[0] },
    { op: 'gate_down', interface: 'pv001-g' },
    { op: 'vif_down', interface: 'pv001-v', address: '10.65.0.3' },
    { op: 'tunnel_down', interface: 'pv001-v' },
    { op: 'tunnel_down', interface: 'pv001-r', namespace: router },
    { op: 'netns_down', namespace: router },
    { op: 'rule_down' },
  ];
  return { up, inventory, down };
}

/**
 *     a: here ─┬─ g0 ── p0 [r0] t0 ───── t0 ─┬─ there :b
 *              └─ g1 ── p1 [r1] t1 ───── t1 ─┘
 *
 * Both nodes have a group of the two ways, and use the first. The routers are on a. Each node's address is that of a
 * tunnel to a separate router, which does nothing else.
 */
export function joined(a: NodeUnderTest, b: NodeUnderTest) {
  const ways = [0, 1];
  const atB = ways.map((way) => {
    return { address: `10.65.${3 + way}.2`, peer: { address: `10.65.${3 + way}.1`, mac: macOf(30 + way) } };
  });
  const onA = [...endOf(a, here, 1), ...ways.flatMap((way) => wayOf(a, b, way)), ...groupTo('10.65.20.0/24')];
  const onB = [
    ...endOf(b, there, 3),
    ...ways.flatMap((way): OperationInput[] => [
      tunnelUp(b, {
        ...{ interface: `pv001-t${way}`, mac: macOf(40 + way), mtu: wayMtus[way]!, vni: 4100 + way },
        ...{ remote: a.address, port: a.port ?? 4790, gateable: true },
      }),
      { op: 'vif_up', interface: `pv001-t${way}`, ...atB[way]! },
      { op: 'nexthop_up', id: members[way]!, via: atB[way]!.peer.address, interface: `pv001-t${way}` },
    ]),
    ...groupTo('10.65.10.0/24'),
  ];
  return { onA, onB, atB };
}

/** A node's own address, on a tunnel to a router that does nothing else. */
export function endOf({ policy }: NodeUnderTest, address: string, mac: number): OperationInput[] {
  const namespace = `${policy.namespacePrefix}h`;
  const peer = { interface: 'pv001-h', namespace, mac: macOf(mac + 1) };
  const other = address.replace(/1$/, '2');
  return [
    { op: 'rule_up' },
    { op: 'netns_up', namespace, urpf: 'strict' },
    { op: 'tunnel_up', kind: 'local', interface: 'pv001-e', mac: macOf(mac), mtu: 1400, peer },
    vif('pv001-e', address, other, mac + 1),
    vif('pv001-h', other, address, mac, namespace),
  ];
}

function wayOf(a: NodeUnderTest, b: NodeUnderTest, way: number): OperationInput[] {
  const namespace = `${a.policy.namespacePrefix}r${way}`;
  const [own, router] = [`10.65.${1 + way}.1`, `10.65.${1 + way}.2`];
  const [near, remote] = [`10.65.${3 + way}.1`, `10.65.${3 + way}.2`];
  const peer = { interface: `pv001-p${way}`, namespace, mac: macOf(20 + way) };
  return [
    { op: 'netns_up', namespace, urpf: 'strict' },
    { op: 'tunnel_up', kind: 'local', interface: `pv001-g${way}`, mac: macOf(10 + way), mtu: 1400, peer },
    vif(`pv001-g${way}`, own, router, 20 + way),
    vif(`pv001-p${way}`, router, own, 10 + way, namespace),
    tunnelUp(a, {
      ...{ interface: `pv001-t${way}`, namespace, mac: macOf(30 + way) },
      ...{ mtu: wayMtus[way]!, vni: 4100 + way, remote: b.address, port: b.port ?? 4790 },
    }),
    vif(`pv001-t${way}`, near, remote, 40 + way, namespace),
    route('10.65.20.0/24', { namespace, nexthops: [{ interface: `pv001-t${way}`, via: remote }] }),
    route('10.65.10.0/24', { namespace, nexthops: [{ interface: `pv001-p${way}`, via: own }] }),
    { op: 'nexthop_up', id: members[way]!, via: router, interface: `pv001-g${way}` },
  ];
}

function groupTo(prefix: string): OperationInput[] {
  return [
    { op: 'group_up', id: theGroup, members: [...members], active: members[0], resilient: true },
    route(prefix, { nexthopId: theGroup }),
  ];
}
