/** Which parts of a node's inventory belong to a VN, are left over, or belong to others. */
import { describe, expect, it } from 'vitest';
import { desiredBatches } from '../../src/controller/batches/desired.ts';
import { leftOvers, leftOversOf } from '../../src/controller/batches/left-overs.ts';
import { sliceIds } from '../../src/model/ids.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { InterfaceState, Inventory } from '../../src/vsys/messages.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('two-node'));
const vn = slice.vns[0]!;
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const plan = planVn(slice, vn);
const { interfacePrefix: prefix, nexthops } = sliceIds(slice);
const router = 'pv-two_0-a';
const batches = desiredBatches(
  {
    ...plan,
    names: {
      address: () => '192.0.2.1',
      port: () => 20_001,
      tunnelKey: () => '00',
      namespacePrefix: () => 'pv-two_',
      resilient: () => true,
      gates: () => true,
    },
    mtu: 1450,
    urpf: 'strict',
  },
  { instances: [{ instance, routes: computeRoutes(vn, instance, plan.access) }], active: instance },
);
const [onGateway, onRouter] = [batches.get('gw1')!, batches.get('n1')!];

const device = (name: string, more: Partial<InterfaceState> = {}): InterfaceState => ({
  name,
  kind: 'vxlan',
  up: true,
  mtu: 1450,
  mac: '02:50:00:00:00:01',
  addresses: [],
  ...more,
});

/** The inventory of a node after exactly these operations. */
function inventoryOf(operations: readonly OperationInput[]): Inventory {
  const list = <T>(pick: (operation: OperationInput) => T[]) => operations.flatMap(pick);
  const inNamespace = ({ namespace }: { namespace?: string | undefined }) =>
    namespace === undefined ? {} : { namespace };
  const hop = (name: string) => [{ interface: name, weight: 1 }];
  return {
    namespaces: list((one) => (one.op === 'netns_up' ? [one.namespace] : [])),
    interfaces: list((one) => (one.op === 'tunnel_up' ? [device(one.interface, inNamespace(one))] : [])),
    routes: list((one) => {
      const common = { type: 'unicast' as const, ...('namespace' in one ? inNamespace(one) : {}) };
      if (one.op === 'vif_up') {
        const own = { ...common, prefix: `${one.peer.address}/32`, nexthops: hop(one.interface), protocol: '245' };
        return [own, { ...own, prefix: `${one.address}/32`, protocol: 'kernel' }];
      }
      return one.op === 'vroute' ? [{ ...common, prefix: one.prefix, nexthops: [], protocol: '246' }] : [];
    }),
    nexthops: list((one) => (one.op === 'nexthop_up' || one.op === 'group_up' ? [{ id: one.id }] : [])),
    rules: operations.some(({ op }) => op === 'rule_up'),
  };
}

const gateway = inventoryOf(onGateway);
const node = inventoryOf(onRouter);

describe('leftOvers', () => {
  it('leftOvers finds none if everything belongs to the VN', () => {
    expect(gateway.interfaces.length + gateway.nexthops.length + node.routes.length).toBeGreaterThan(5);
    expect(leftOvers(gateway, onGateway, prefix)).toEqual({ removal: [], additional: [] });
    expect(leftOvers(node, onRouter, prefix)).toEqual({ removal: [], additional: [] });
    // Only gateways and end hosts have rules.
    const reject = { prefix: '0.0.0.0/0', type: 'unreachable' as const, nexthops: [], protocol: '245' };
    for (const ruled of [
      { ...node, rules: true },
      { ...node, routes: [...node.routes, reject] },
    ]) {
      expect(leftOvers(ruled, onRouter, prefix)).toEqual({ removal: [{ op: 'rule_down' }], additional: [] });
    }
  });

  it('leftOvers removes everything if nothing is needed, and users before what they use', () => {
    const [single, group] = [{ id: nexthops.first }, { id: nexthops.last, group: [nexthops.first] }];
    const inventory: Inventory = {
      namespaces: ['pv-two_1-x'],
      interfaces: [device(`${prefix}1l0a`), device(`${prefix}1l0b`, { namespace: 'pv-two_1-x' })],
      routes: [
        { prefix: '10.64.9.0/31', type: 'unicast', nexthops: [], nexthopId: group.id, metric: 7, protocol: '246' },
        {
          prefix: '10.64.9.4/31',
          type: 'unicast',
          nexthops: [{ interface: `${prefix}1l0a`, weight: 1 }],
          protocol: '246',
        },
      ],
      nexthops: [single, group],
      rules: true,
    };
    expect(leftOvers(inventory, [], prefix)).toEqual({
      removal: [
        { op: 'vroute', action: 'delete', prefix: '10.64.9.0/31', metric: 7 },
        { op: 'group_down', id: group.id },
        { op: 'nexthop_down', id: single.id },
        { op: 'tunnel_down', interface: `${prefix}1l0a` },
        { op: 'netns_down', namespace: 'pv-two_1-x' },
        { op: 'rule_down' },
      ],
      additional: [],
    });
  });

  it('leftOvers removes an interface with the slice prefix from a needed router, and leaves others', () => {
    const strays = [
      device(`${prefix}9l0a`, { namespace: router }),
      device('mine', { namespace: router, kind: 'dummy' }),
    ];
    const inventory = { ...node, interfaces: [...node.interfaces, ...strays] };
    expect(leftOvers(inventory, onRouter, prefix)).toEqual({
      removal: [{ op: 'tunnel_down', interface: `${prefix}9l0a`, namespace: router }],
      additional: [],
    });
  });

  it('leftOvers removes forwards that no VN has', () => {
    const listening = (localPort: number) => ({
      side: 'listen' as const,
      localPort,
      address: '10.64.0.1',
      to: { address: '10.64.0.3', port: 53 },
    });
    const delivering = (port: number) => ({ side: 'deliver' as const, address: '10.64.0.1', port });
    const inventory = { ...node, forwards: [listening(5353), listening(5354), delivering(53), delivering(54)] };
    const needed: OperationInput[] = [
      ...onRouter,
      { op: 'forward_up', ...listening(5353) },
      { op: 'forward_up', ...delivering(53) },
    ];
    expect(leftOvers(inventory, needed, prefix)).toEqual({
      removal: [
        { op: 'forward_down', side: 'listen', localPort: 5354 },
        { op: 'forward_down', ...delivering(54) },
      ],
      additional: [],
    });
  });

  it('leftOvers ends a daemon that no router needs, and leaves the routes of daemons alone', () => {
    const daemon = { namespace: router, kind: 'bird' as const, state: 'running' as const, restarts: 0, processes: [] };
    const learned = { prefix: '10.64.200.0/24', type: 'unicast' as const, nexthops: [], namespace: router };
    const routes = [...node.routes, { ...learned, protocol: 'bird' }];
    const inventory: Inventory = { ...node, routes, daemons: [daemon] };
    const found = leftOvers(inventory, onRouter, prefix);
    expect(found).toEqual({ removal: [{ op: 'daemon_down', namespace: router }], additional: [] });
    expect(leftOversOf(found, onRouter)).toEqual(found);
    expect(leftOversOf(found, onGateway).removal).toEqual([]);
    const needed: OperationInput[] = [...onRouter, { op: 'daemon_up', namespace: router, kind: 'bird', config: '' }];
    expect(leftOvers(inventory, needed, prefix)).toEqual({ removal: [], additional: [] });
    // Without a daemon somebody else added the route.
    expect(leftOvers({ ...node, routes }, onRouter, prefix).additional).toMatchObject([{ name: '10.64.200.0/24' }]);
    // It ends with its namespace.
    expect(leftOvers(inventory, [], prefix).removal).not.toContainEqual({ op: 'daemon_down', namespace: router });
  });

  it('leftOvers ends what leads OSPF packets of a router elsewhere that does not move', () => {
    const report = { tunnels: [], gate: 'none' as const, sent: 0, held: 0, dropped: 0 };
    const gate = device(`${prefix}ctl`, { namespace: router, kind: 'ifb' });
    const inventory: Inventory = {
      ...node,
      interfaces: [...node.interfaces, gate],
      control: [
        { namespace: router, ...report },
        { namespace: 'pv-two_9-x', ...report },
      ],
    };
    const down: OperationInput = { op: 'control_down', namespace: router };
    const found = leftOvers(inventory, onRouter, prefix);
    expect(found.removal).toEqual([down, { op: 'tunnel_down', interface: gate.name, namespace: router }]);
    expect(leftOversOf(found, onRouter).removal).toEqual([down]);
    expect(leftOversOf(found, onGateway).removal).toEqual([]);
  });

  it('leftOvers removes gates', () => {
    const access = gateway.interfaces.find(({ name }) => name.endsWith('g'))!.name;
    const gate = device(`${access}.ifb`, { kind: 'ifb', gate: { interface: access, closed: true } });
    const inventory = { ...gateway, interfaces: [...gateway.interfaces, gate] };
    const found = leftOvers(inventory, onGateway, prefix);
    expect(found).toEqual({ removal: [{ op: 'gate_down', interface: access }], additional: [] });
    expect(leftOversOf(found, onGateway)).toEqual(found);
    expect(leftOversOf(found, onRouter)).toEqual({ removal: [], additional: [] });
  });

  it('leftOvers leaves what others made, and lists it', () => {
    const routes: Inventory['routes'] = [
      { prefix: '10.64.200.0/24', type: 'blackhole', nexthops: [], protocol: 'boot', namespace: router },
      // Behind the VN's own entry for the same prefix.
      { ...node.routes.find(({ protocol }) => protocol === '246')!, type: 'prohibit' },
    ];
    const inventory = {
      ...node,
      namespaces: [...node.namespaces, 'pv-two_2-theirs'],
      interfaces: [
        ...node.interfaces,
        device('theirs0', { namespace: 'pv-two_2-theirs', kind: 'dummy' }),
        device(`${prefix}x`, { kind: 'veth' }),
        device(`${prefix}y`, { kind: '' }),
        device(`${prefix}Z`),
      ],
      routes: [...node.routes, ...routes],
    };
    const found = leftOvers(inventory, onRouter, prefix);
    expect(found).toEqual({
      removal: [],
      additional: [
        { kind: 'namespace', name: 'pv-two_2-theirs', wanted: null, found: 'with interfaces of others' },
        { kind: 'interface', name: `${prefix}x`, wanted: null, found: 'a veth' },
        { kind: 'interface', name: `${prefix}y`, wanted: null, found: 'hardware' },
        { kind: 'interface', name: `${prefix}Z`, wanted: null, found: 'a vxlan' },
        { kind: 'route', name: '10.64.200.0/24', namespace: router, wanted: null, found: 'blackhole' },
        { kind: 'route', name: routes[1]!.prefix, namespace: router, wanted: null, found: 'prohibit' },
      ],
    });
    expect(leftOversOf(found, onRouter).additional.map(({ kind }) => kind)).toEqual(['route', 'route']);
    expect(leftOversOf(found, onGateway)).toEqual({ removal: [], additional: [] });
  });
});
