/** Tests that operations do what they say, once, all or none, and that the inventory shows the result. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { unpackRoutes } from '../../src/model/packed-routes.ts';
import type { Route } from '../../src/model/route.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { describeTunnel, everything, macOf, theGroup, tunnelUp } from './networks.ts';
import { apply, inventoryOf, type NetworkUnderTest, type NodeUnderTest, type PlaneUnderTest } from './under-test.ts';

const nothing = { namespaces: [], interfaces: [], routes: [], nexthops: [], rules: false };

export function operations(plane: PlaneUnderTest): void {
  let network: NetworkUnderTest;
  let node: NodeUnderTest;
  let router: string;
  beforeAll(async () => {
    network = await plane.start(1, { namespaces: 2, routes: 20 });
    node = network.nodes[0]!;
    router = `${node.policy.namespacePrefix}a`;
  });
  afterAll(() => network.end());

  it('hello says which plane it is', async () => {
    expect((await node.call('hello', {})).plane).toBe(plane.kind);
  });

  it('the inventory is empty at first', async () => {
    expect(await inventoryOf(node)).toEqual(nothing);
    expect((await node.call('collisions', {})).installed).toBe(false);
  });

  it('a dry run says what the operations would change, and changes nothing', async () => {
    const { up } = everything(node, router);
    const answer = await node.call('apply', { operations: up, dryRun: true });
    expect(answer.results).toEqual(up.map(({ op }) => ({ op, status: 'changed' })));
    // What comes with another thing is not reported separately.
    expect(answer.differences).toEqual(
      expect.arrayContaining([
        { kind: 'namespace', name: router, wanted: 'there', found: null },
        { kind: 'interface', name: 'pv001-v', wanted: describeTunnel(node, 4097), found: null },
        { kind: 'rule', name: 'from', wanted: 'there', found: null },
      ]),
    );
    expect(answer.differences!.filter(({ namespace }) => namespace === router)).toEqual([]);
    expect(await inventoryOf(node)).toEqual(nothing);
  });

  it('operations change what differs, and nothing the second time', async () => {
    for (const operation of everything(node, router).up) {
      expect({ operation, did: await apply(node, operation) }).toEqual({ operation, did: ['changed'] });
      expect({ operation, did: await apply(node, operation) }).toEqual({ operation, did: ['unchanged'] });
    }
    expect((await node.call('collisions', {})).installed).toBe(true);
  });

  it('the inventory and the routes show what was applied', async () => {
    const { up, inventory } = everything(node, router);
    expect(await inventoryOf(node)).toEqual(inventory);
    const of = (namespace?: string) =>
      inventory.routes.filter((route) => route.namespace === namespace).map(({ namespace: _, ...route }) => route);
    expect((await node.call('routes', {})).routes).toEqual(of());
    expect((await node.call('routes', { namespace: router })).routes).toEqual(of(router));
    const { digest } = await node.call('routes', { namespace: router });
    expect(await node.call('routes', { namespace: router, unless: digest })).toEqual({
      digest,
      routes: [],
      unchanged: true,
    });
    expect((await node.call('routes', { namespace: router, unless: '0'.repeat(64) })).routes).toEqual(of(router));
    const dry = await node.call('apply', { operations: up, dryRun: true });
    expect(dry.differences).toEqual([]);
    expect(dry.results.map(({ status }) => status)).toEqual(up.map(() => 'unchanged'));
  });

  it('packed routes are the routes', async () => {
    const { routes, digest } = await node.call('routes', { namespace: router });
    const packed = await node.call('routes', { namespace: router, packed: true });
    expect({ ...packed, packed: undefined }).toEqual({ digest, routes: [], packed: undefined });
    const inOrder = (list: readonly Route[]) => list.map(({ prefix }) => prefix).toSorted();
    expect(routes.length).toBeGreaterThan(0);
    expect(inOrder(unpackRoutes(packed.packed!))).toEqual(inOrder(routes));
    for (const route of unpackRoutes(packed.packed!)) expect(routes).toContainEqual(route);
  });

  it('a batch with an invalid operation is refused, and changes nothing', async () => {
    const before = await inventoryOf(node);
    const good: OperationInput = { op: 'vroute', action: 'add', prefix: '10.65.77.0/24', type: 'blackhole' };
    for (const [bad, error] of refusals(node)) {
      const refused = expect(apply(node, good, bad)).rejects;
      await refused.toMatchObject(error);
    }
    await expect(node.call('routes', { namespace: `${router}x` })).rejects.toMatchObject({
      code: 'not-found',
      message: `there is no namespace '${router}x'`,
    });
    expect(await inventoryOf(node)).toEqual(before);
  });

  it('a batch that fails is undone, whatever came before the failure', async () => {
    const before = await inventoryOf(node);
    const { down } = everything(node, router);
    const far = { mac: macOf(99), mtu: 1400, vni: 5000, remote: '192.0.2.9', port: 4790 };
    const failing: OperationInput[] = [
      tunnelUp(node, { interface: 'pv001-z', ...far }),
      // Only the plane itself knows that a nexthop needs an interface that is up.
      { op: 'nexthop_up', id: 65_999, via: '10.65.0.99', interface: 'pv001-z' },
    ];
    for (const first of [[], down.slice(0, 5), down]) {
      await expect(apply(node, ...first, ...failing)).rejects.toMatchObject({
        code: 'failed',
        hint: 'nothing was changed',
      });
      expect(await inventoryOf(node)).toEqual(before);
    }
  });

  it('operations replace what contradicts them only in a repair', async () => {
    const { up } = everything(node, router);
    const tunnel = up.find((operation) => operation.op === 'tunnel_up' && operation.kind === node.tunnelKind)!;
    const other = { ...tunnel, vni: 4099 } as OperationInput;
    await expect(apply(node, other)).rejects.toMatchObject({ code: 'conflict', hint: 'take it down first' });
    expect(await apply(node, { op: 'vroute', action: 'delete', prefix: '10.65.10.0/24' })).toEqual(['changed']);
    const repaired = await node.call('apply', { operations: [other], repair: true });
    expect(repaired.differences).toContainEqual({
      kind: 'interface',
      name: 'pv001-v',
      wanted: describeTunnel(node, 4099),
      found: describeTunnel(node, 4097),
    });
    const found = await inventoryOf(node);
    expect(found.interfaces.find(({ name }) => name === 'pv001-v')).toMatchObject({ vni: 4099, addresses: [] });
    expect(found.nexthops.map(({ id }) => id)).not.toContain(65_537);
    await node.call('apply', { operations: up, repair: true });
    expect(await inventoryOf(node)).toEqual(everything(node, router).inventory);
  });

  it('operations remove what exists, and nothing the second time', async () => {
    for (const operation of everything(node, router).down) {
      expect({ operation, did: await apply(node, operation) }).toEqual({ operation, did: ['changed'] });
      expect({ operation, did: await apply(node, operation) }).toEqual({ operation, did: ['unchanged'] });
    }
    expect(await inventoryOf(node)).toEqual(nothing);
    expect((await node.call('collisions', {})).installed).toBe(false);
  });

  it('operations keep to the limits of the policy', async () => {
    const namespaces = ['b', 'c', 'd'].map((name) => `${node.policy.namespacePrefix}${name}`);
    const ups = namespaces.map((namespace): OperationInput => ({ op: 'netns_up', namespace, urpf: 'strict' }));
    await expect(apply(node, ...ups)).rejects.toMatchObject({
      code: 'forbidden',
      message: "slice 'test' may have at most 2 namespaces on this node",
    });
    const routes = Array.from({ length: 21 }, (_, index): OperationInput => {
      return { op: 'vroute', action: 'add', prefix: `10.65.${index}.0/24`, type: 'blackhole' };
    });
    await expect(apply(node, ...routes)).rejects.toMatchObject({
      code: 'forbidden',
      message: "slice 'test' may have at most 20 routes on this node",
    });
    expect(await inventoryOf(node)).toEqual(nothing);
  });

  it('a thousand routes at once are there, change nothing the second time, and go', async () => {
    const larger = await plane.start(1, { namespaces: 2, routes: 1100 });
    try {
      const [only] = larger.nodes as [NodeUnderTest];
      const namespace = `${only.policy.namespacePrefix}a`;
      const list = Array.from({ length: 1000 }, (_, index) => `10.65.${100 + (index >> 8)}.${index & 255}/32`);
      const many = (
        action: 'add' | 'delete',
        prefixes: readonly string[],
        type: 'blackhole' | 'prohibit' = 'blackhole',
      ) => apply(only, { op: 'vroutes', action, namespace, type, prefixes: prefixes.join(' ') });
      await apply(only, { op: 'netns_up', namespace, urpf: 'strict' });
      const found = async () => {
        const { packed = [] } = await only.call('routes', { namespace, packed: true });
        return new Map(packed.map(({ type, prefixes }) => [type, prefixes.split(' ').toSorted()]));
      };
      expect(await many('add', list)).toEqual(['changed']);
      expect(await many('add', list)).toEqual(['unchanged']);
      expect(await found()).toEqual(new Map([['blackhole', list.toSorted()]]));
      await expect(
        many(
          'add',
          list.map((prefix) => prefix.replace('10.65', '10.64')),
        ),
      ).rejects.toMatchObject({
        code: 'forbidden',
      });
      const others = list.slice(0, 600).map((prefix) => prefix.replace('10.65.1', '10.65.2'));
      await expect(many('add', others)).rejects.toMatchObject({
        message: "slice 'test' may have at most 1100 routes on this node",
      });
      expect(await many('delete', list.slice(10))).toEqual(['changed']);
      expect(await many('add', list, 'prohibit')).toEqual(['changed']);
      expect(await found()).toEqual(new Map([['prohibit', list.toSorted()]]));
      expect(await many('delete', list)).toEqual(['changed']);
      expect(await found()).toEqual(new Map());
    } finally {
      await larger.end();
    }
  });

  it('an interface for a routing daemon has its neighbour in its subnet, or is refused', async () => {
    const [place, address] = [{ interface: 'pv001-w', namespace: router }, '10.65.0.8'];
    const far = { remote: '192.0.2.9', port: 4790, mtu: 1400 };
    const made: OperationInput[] = [
      { op: 'netns_up', namespace: router, urpf: 'strict' },
      tunnelUp(node, { ...place, mac: macOf(5), vni: 4098, ...far }),
    ];
    const peer = { address: '10.65.0.9', mac: macOf(6) };
    const vif = { op: 'vif_up', ...place, address, peer, pointToPoint: true } as const;
    await apply(node, ...made);
    const before = await inventoryOf(node);
    if (plane.kind === 'userspace') {
      await expect(apply(node, vif)).rejects.toMatchObject({
        code: 'unsupported',
        message: 'routers of the userspace data plane run no routing daemon',
      });
    } else {
      const outside = { ...vif, peer: { ...peer, address: '10.65.0.7' } };
      await expect(apply(node, outside)).rejects.toMatchObject({
        code: 'invalid-input',
        message: expect.stringMatching("^interface 'pv001-w' .*: neighbour 10.65.0.7 is not in 10.65.0.8/31$"),
      });
      await expect(apply(node, { ...vif, namespace: undefined })).rejects.toMatchObject({ code: 'not-found' });
      expect(await inventoryOf(node)).toEqual(before);
      expect(await apply(node, vif)).toEqual(['changed']);
      expect(await apply(node, vif)).toEqual(['unchanged']);
      const after = await inventoryOf(node);
      expect(after.interfaces).toMatchObject([{ name: 'pv001-w', up: true, addresses: ['10.65.0.8/31'] }]);
      const nexthops = [{ interface: 'pv001-w', weight: 1 }];
      const connected = { prefix: '10.65.0.8/31', type: 'unicast', nexthops, source: address, protocol: 'kernel' };
      expect(after.routes).toEqual([{ namespace: router, ...connected }]);
      await expect(apply(node, { ...vif, pointToPoint: false })).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('has address 10.65.0.8/31, requested: 10.65.0.8/32'),
      });
      expect(await apply(node, { op: 'vif_down', ...place, address })).toEqual(['changed']);
      const down = await inventoryOf(node);
      expect([down.routes, down.interfaces[0]!.addresses]).toEqual([[], []]);
    }
    expect(await apply(node, { op: 'netns_down', namespace: router })).toEqual(['changed']);
    expect(await inventoryOf(node)).toEqual(nothing);
  });
}

function refusals(node: NodeUnderTest): [OperationInput, object][] {
  const via = { interface: 'pv001-g', via: '10.65.0.2' };
  return [
    [
      { op: 'netns_up', namespace: 'other', urpf: 'strict' },
      { code: 'forbidden', message: expect.stringContaining("'other' does not belong to slice 'test'") },
    ],
    [
      { op: 'vroute', action: 'add', prefix: '10.65.9.0/24', nexthops: [{ interface: 'pv001-q' }] },
      { code: 'not-found', message: "there is no interface 'pv001-q'", hint: 'create it with tunnel_up' },
    ],
    [
      { op: 'vroute', action: 'add', prefix: '10.65.9.0/24', nexthops: [via], nexthopId: theGroup },
      { code: 'invalid-input', message: 'route to 10.65.9.0/24: give either next hops or a nexthop id' },
    ],
    [
      { op: 'vroute', action: 'add', prefix: '10.65.9.0/24', nexthopId: 65_999 },
      { code: 'not-found', message: 'there is no nexthop 65999' },
    ],
    [
      tunnelUp(node, {
        ...{ interface: 'pv001-y', mac: macOf(98), mtu: 1400, vni: 5001 },
        ...{ remote: node.address, port: node.port ?? 4790 },
      }),
      {
        code: 'invalid-input',
        message: expect.stringMatching(`cannot lead to ${node.address}.*: it is an address of`),
      },
    ],
    [
      { op: 'vif_up', interface: 'pv001-g', address: '10.65.0.9', peer: { address: '10.65.0.2', mac: macOf(2) } },
      { code: 'conflict', message: "interface 'pv001-g' has address 10.65.0.1/32, requested: 10.65.0.9/32" },
    ],
    [
      { op: 'nexthop_up', id: 65_536, via: '10.65.0.9', interface: 'pv001-g' },
      {
        code: 'conflict',
        message: "nexthop 65536 via 10.65.0.2 over 'pv001-g' exists, requested: via 10.65.0.9 over 'pv001-g'",
      },
    ],
    [
      { op: 'nexthop_down', id: 65_536 },
      { code: 'conflict', message: `nexthop 65536 is used by group ${theGroup}` },
    ],
    [
      { op: 'group_down', id: theGroup },
      {
        code: 'conflict',
        message: `group ${theGroup} of 65536, 65537 is used by the route to 10.65.9.0/24`,
      },
    ],
    [
      { op: 'group_up', id: theGroup, members: [65_536], active: 65_537, resilient: true },
      { code: 'invalid-input', message: `group ${theGroup}: active nexthop 65537 is not one of its members 65536` },
    ],
    [
      { op: 'gate_up', interface: 'pv001-none', limitBytes: 10_000 },
      { code: 'not-found', message: "there is no interface 'pv001-none'" },
    ],
    [
      { op: 'tunnel_down', interface: 'pv001-g.ifb' },
      { code: 'conflict', message: "interface 'pv001-g.ifb' is the gate of 'pv001-g'" },
    ],
  ];
}
