/** Tests what a repairing batch does to a damaged node, and what it reports: on states, and on the kernel. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differencesOf } from '../../src/agent/dataplane/planner/differences.ts';
import { groupLeadingTo } from '../../src/agent/dataplane/planner/group.ts';
import { planOperations } from '../../src/agent/dataplane/planner/plan.ts';
import {
  fixtureProtocol,
  type KernelRoute,
  type KernelState,
  type Link,
  type Nexthop,
  newLink,
  routeProtocol,
  type Stack,
} from '../../src/agent/dataplane/planner/state.ts';
import { type OperationInput, operationSchema } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode, testPolicy } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const policy = testPolicy('r-');
const mac = (last: number) => `02:50:0a:41:00:0${last}`;
const [member, stray, group, lead] = [65_536, 65_537, 98_304, 114_688];

const vxlan = { op: 'tunnel_up', kind: 'vxlan', mtu: 1400, remote: '192.0.2.9', port: 4790 } as const;

/** A router with one link, and a gateway's link with its nexthop, group and route. */
const batch: OperationInput[] = [
  { op: 'netns_up', namespace: 'r-a', urpf: 'strict' },
  { ...vxlan, interface: 'pv001-r', namespace: 'r-a', mac: mac(1), vni: 4097 },
  {
    op: 'vif_up',
    interface: 'pv001-r',
    namespace: 'r-a',
    address: '10.65.0.1',
    peer: { address: '10.65.0.2', mac: mac(2) },
  },
  {
    op: 'vroute',
    action: 'add',
    namespace: 'r-a',
    prefix: '10.65.9.0/24',
    nexthops: [{ interface: 'pv001-r', via: '10.65.0.2' }],
  },
  { op: 'rule_up' },
  { ...vxlan, interface: 'pv001-g', mac: mac(3), vni: 4098 },
  {
    op: 'vif_up',
    interface: 'pv001-g',
    address: '10.65.0.3',
    peer: { address: '10.65.0.4', mac: mac(4) },
    urpf: 'strict',
  },
  { op: 'nexthop_up', id: member, via: '10.65.0.4', interface: 'pv001-g' },
  { op: 'group_up', id: group, members: [member], active: member, resilient: true },
  { op: 'vroute', action: 'add', prefix: '10.65.8.0/31', nexthopId: group },
];

function plan(state: KernelState, operations: readonly OperationInput[], repair = true) {
  const parsed = operations.map((operation) => operationSchema.parse(operation));
  return planOperations(state, parsed, policy, repair);
}

const bare: Stack = { links: new Map(), routes: new Map(), settings: new Map() };
const empty: KernelState = { stacks: new Map([['', bare]]), nexthops: new Map(), rules: new Set() };
const right = plan(empty, batch).state;

function withStack(namespace: string, change: Partial<Stack>): KernelState {
  const stack = right.stacks.get(namespace)!;
  return { ...right, stacks: new Map([...right.stacks, [namespace, { ...stack, ...change }]]) };
}

function withLink(namespace: string, name: string, change: Partial<Link>): KernelState {
  const { links } = right.stacks.get(namespace)!;
  return withStack(namespace, { links: new Map([...links, [name, { ...links.get(name)!, ...change }]]) });
}

function withRoute(namespace: string, prefix: string, change: Partial<KernelRoute>): KernelState {
  const { routes } = right.stacks.get(namespace)!;
  const [key, route] = [...routes].find(([, candidate]) => candidate.prefix === prefix)!;
  return withStack(namespace, { routes: new Map([...routes, [key, { ...route, ...change }]]) });
}

function withNexthop(...nexthops: Nexthop[]): KernelState {
  return { ...right, nexthops: new Map([...right.nexthops, ...nexthops.map((one) => [one.id, one] as const)]) };
}

const without = <K, V>(map: ReadonlyMap<K, V>, isGone: (key: K) => boolean) =>
  new Map([...map].filter(([key]) => !isGone(key)));

const other = { address: '10.65.7.7', length: 32, bare: true };
const elsewhere: Nexthop = { id: stray, via: '10.65.0.9', interface: 'pv001-g', onlink: true };

/** What is damaged, and the differences reported. */
const damages: [string, KernelState, object[]][] = [
  [
    'a namespace that has gone',
    { ...right, stacks: without(right.stacks, (name) => name === 'r-a') },
    [{ kind: 'namespace', name: 'r-a', wanted: 'there', found: null }],
  ],
  [
    'a tunnel with another VNI, under a nexthop in use',
    withLink('', 'pv001-g', { vxlan: { vni: 4099, remote: '192.0.2.9', port: 4790 } }),
    [
      {
        kind: 'interface',
        name: 'pv001-g',
        wanted: 'a vxlan with VNI 4098 to 192.0.2.9:4790',
        found: 'a vxlan with VNI 4099 to 192.0.2.9:4790',
      },
    ],
  ],
  [
    'a bridge in place of a tunnel',
    withLink('r-a', 'pv001-r', { kind: 'bridge', vxlan: undefined as never }),
    [
      {
        kind: 'interface',
        name: 'pv001-r',
        namespace: 'r-a',
        wanted: 'a vxlan with VNI 4097 to 192.0.2.9:4790',
        found: 'a bridge',
      },
    ],
  ],
  [
    'another address, another neighbour, another MTU, and down',
    withLink('r-a', 'pv001-r', {
      addresses: [other],
      neighbours: [{ address: '10.65.7.8', mac: mac(9) }],
      mtu: 1300,
      up: false,
    }),
    [
      { wanted: 'up', found: 'down' },
      { wanted: 'MTU 1400', found: 'MTU 1300' },
      { wanted: 'address 10.65.0.1/32', found: 'address 10.65.7.7/32' },
      { wanted: `neighbour 10.65.0.2 at ${mac(2)}`, found: `neighbour 10.65.7.8 at ${mac(9)}` },
    ].map((values) => ({ kind: 'interface', namespace: 'r-a', name: 'pv001-r', ...values })),
  ],
  [
    'a disabled reverse-path check',
    withStack('r-a', { settings: new Map([...right.stacks.get('r-a')!.settings, ['ipv4/conf/all/rp_filter', '0']]) }),
    [{ kind: 'setting', name: 'ipv4/conf/all/rp_filter', namespace: 'r-a', wanted: '1', found: '0' }],
  ],
  [
    'a route that leads elsewhere',
    withRoute('r-a', '10.65.9.0/24', { type: 'blackhole', nexthops: [] }),
    [
      {
        kind: 'route',
        name: '10.65.9.0/24',
        namespace: 'r-a',
        wanted: "via 10.65.0.2 over 'pv001-r'",
        found: 'blackhole',
      },
    ],
  ],
  [
    'the entry for a neighbour that leads elsewhere',
    withRoute('', '10.65.0.4/32', { type: 'prohibit', nexthops: [], protocol: fixtureProtocol }),
    [{ kind: 'route', name: '10.65.0.4/32', wanted: "over 'pv001-g'", found: 'prohibit' }],
  ],
  [
    'a nexthop that leads elsewhere',
    withNexthop({ ...elsewhere, id: member }),
    [{ kind: 'nexthop', name: '65536', wanted: "via 10.65.0.4 over 'pv001-g'", found: "via 10.65.0.9 over 'pv001-g'" }],
  ],
  [
    'a group that leads elsewhere',
    withNexthop(elsewhere, groupLeadingTo(elsewhere, { id: group, members: [member, stray], resilient: true })),
    [
      {
        kind: 'nexthop',
        name: '98304',
        wanted: 'resilient group, leads to 65536',
        found: 'resilient group, leads to 65537, accepts 65536',
      },
    ],
  ],
  [
    'a single nexthop in place of a group',
    withNexthop({ ...elsewhere, id: group }),
    [
      {
        kind: 'nexthop',
        name: '98304',
        wanted: 'resilient group, leads to 65536',
        found: "via 10.65.0.9 over 'pv001-g'",
      },
    ],
  ],
  [
    'a group in place of a nexthop',
    {
      ...right,
      nexthops: new Map<number, Nexthop>([
        [stray, elsewhere],
        [member, groupLeadingTo(elsewhere, { id: member, members: [stray], resilient: false })],
      ]),
    },
    [
      { kind: 'nexthop', name: '65536', wanted: "via 10.65.0.4 over 'pv001-g'", found: 'plain group, leads to 65537' },
      { kind: 'nexthop', name: '98304', wanted: 'resilient group, leads to 65536', found: null },
    ],
  ],
  [
    'one rule of two',
    { ...right, rules: new Set(['to'] as const) },
    [{ kind: 'rule', name: 'from', wanted: 'there', found: null }],
  ],
];

describe('a batch that repairs', () => {
  it('a repairing batch changes nothing where nothing is damaged', () => {
    const { commands, state } = plan(right, batch);
    expect(commands).toEqual([]);
    expect(differencesOf(right, state)).toEqual([]);
  });

  it.each(damages)('a repairing batch repairs %s', (_, damaged, differences) => {
    const { commands, state } = plan(damaged, batch);
    expect(commands.length).toBeGreaterThan(0);
    expect(differencesOf(damaged, state)).toEqual(differences);
    expect(plan(state, batch).commands).toEqual([]);
    expect(differencesOf(right, state).filter(({ name }) => name !== String(stray))).toEqual([]);
  });

  it.each(damages.slice(1, 4))('a batch without repair refuses %s', (_, damaged) => {
    expect(() => plan(damaged, batch, false)).toThrow(expect.objectContaining({ code: 'conflict' }));
  });

  it('a repairing batch removes what has the VNI of a tunnel, and reports it', () => {
    const { links } = right.stacks.get('')!;
    const thief = { ...links.get('pv001-g')!, name: 'pv001-x', vxlan: { vni: 4097, remote: '192.0.2.9', port: 4790 } };
    const damaged = {
      ...right,
      stacks: new Map([
        ['', { ...right.stacks.get('')!, links: new Map([...links, ['pv001-x', thief]]) }],
        [
          'r-a',
          {
            ...right.stacks.get('r-a')!,
            links: new Map([['lo', right.stacks.get('r-a')!.links.get('lo')!]]),
            routes: new Map(),
          },
        ],
      ]),
    };
    const { state } = plan(damaged, batch);
    expect(differencesOf(damaged, state)).toEqual([
      { kind: 'interface', name: 'pv001-x', wanted: null, found: 'a vxlan with VNI 4097 to 192.0.2.9:4790' },
      {
        kind: 'interface',
        name: 'pv001-r',
        namespace: 'r-a',
        wanted: 'a vxlan with VNI 4097 to 192.0.2.9:4790',
        found: null,
      },
    ]);
    expect(differencesOf(right, state)).toEqual([]);
  });

  it('a repairing batch removes no route over a group that can lead elsewhere', () => {
    const alternative: OperationInput[] = [
      { ...vxlan, interface: 'pv001-h', mac: mac(5), vni: 4099 },
      { op: 'nexthop_up', id: stray, via: '10.65.0.6', interface: 'pv001-h' },
      { op: 'group_up', id: group, members: [member, stray], active: member, resilient: true },
    ];
    const both = plan(right, alternative).state;
    const own = both.stacks.get('')!;
    const wrong = { ...own.links.get('pv001-g')!, vxlan: { vni: 4090, remote: '192.0.2.9', port: 4790 } };
    const links = new Map([...own.links, ['pv001-g', wrong]]);
    const damaged = { ...both, stacks: new Map([...both.stacks, ['', { ...own, links }]]) };
    const { commands, state } = plan(damaged, [...batch, ...alternative]);
    const lines = commands.map(({ do: step }) => ('ip' in step ? step.ip.join(' ') + (step.rest ?? '') : ''));
    expect(lines).toContain('link del pv001-g');
    expect(lines.filter((line) => line.startsWith('route') && line.includes(`nhid ${group}`))).toEqual([]);
    expect(differencesOf(both, state)).toEqual([]);
  });

  it('a repairing batch removes a gate that was left closed', () => {
    const { links } = right.stacks.get('')!;
    const access = { ...links.get('pv001-g')!, hook: true };
    const ifb = { ...newLink('pv001-g.ifb', 'ifb', mac(3), 1400), up: true };
    const gate = { ...ifb, gate: { limitBytes: 5_000_000, closed: true } };
    const damaged = withStack('', {
      links: new Map([...links, ['pv001-g', { ...access, redirect: 'pv001-g.ifb' }], ['pv001-g.ifb', gate]]),
    });
    const { state } = plan(damaged, [...batch, { op: 'gate_down', interface: 'pv001-g' }]);
    expect(differencesOf(damaged, state)).toEqual([
      { kind: 'interface', name: 'pv001-g.ifb', wanted: null, found: 'a closed gate' },
    ]);
  });

  it('a repairing batch removes a leftover nexthop with what uses it, each so that it can be restored', () => {
    const stranger: KernelRoute = {
      prefix: '10.65.6.0/24',
      type: 'unicast',
      nexthops: [],
      nexthopId: stray,
      protocol: routeProtocol,
      table: 50_001,
      onlink: false,
    };
    const { routes } = right.stacks.get('')!;
    const damaged = {
      ...withStack('', { routes: new Map([...routes, ['50001 10.65.6.0/24 0', stranger]]) }),
      nexthops: new Map([...right.nexthops, [stray, elsewhere]]),
    };
    const { commands, state } = plan(damaged, [{ op: 'nexthop_down', id: stray }]);
    expect(commands).toHaveLength(2);
    expect(commands.every(({ undo }) => undo.length > 0)).toBe(true);
    expect(differencesOf(right, state)).toEqual([]);
    expect(() => plan(damaged, [{ op: 'nexthop_down', id: stray }], false)).toThrow(
      "nexthop 65537 via 10.65.0.9 over 'pv001-g' is used by the route to 10.65.6.0/24",
    );
  });
});

describeAsRoot('a batch that repairs, on the kernel', () => {
  let node: AgentNode;
  let operations: OperationInput[];
  beforeAll(async () => {
    node = await startAgentNode();
    operations = batch.map((operation) =>
      'namespace' in operation ? { ...operation, namespace: node.router('a') } : operation,
    );
    await node.apply(operations);
  });
  afterAll(() => node.remove());

  const apply = (options: { repair?: boolean; dryRun?: boolean }, list = operations) =>
    node.client().call('apply', { operations: list, ...options });

  /** Repairs, and expects the same differences in a dry run, and nothing left to do afterwards. */
  async function repairs(differences: object[], list = operations): Promise<void> {
    const before = await node.inventory();
    const dry = await apply({ repair: true, dryRun: true }, list);
    expect(dry.differences).toEqual(differences);
    expect(await node.inventory()).toEqual(before);
    expect(await apply({ repair: true }, list)).toEqual(dry);
    const { results, differences: left } = await apply({ repair: true }, list);
    expect(left).toEqual([]);
    expect(results.every(({ status }) => status === 'unchanged')).toBe(true);
  }

  it('a batch reports differences only when asked', async () => {
    expect(await apply({})).not.toHaveProperty('differences');
    expect(await apply({ dryRun: true })).toMatchObject({ differences: [] });
  });

  it('a repairing batch repairs a nexthop, its group, and the tunnel below both', async () => {
    const installed = await node.inventory();
    node.ip(`nexthop replace id ${member} via 10.65.0.9 dev pv001-g onlink`);
    await repairs([
      { kind: 'nexthop', name: '65536', wanted: "via 10.65.0.4 over 'pv001-g'", found: "via 10.65.0.9 over 'pv001-g'" },
    ]);
    // In use by a nexthop, a group and a route: another tunnel with the same name.
    const { mac: own } = installed.interfaces.find(({ name }) => name === 'pv001-g')!;
    node.ip('link del pv001-g');
    node.ip(`link add pv001-g address ${own} mtu 1400 type vxlan id 4090 dstport 4790 remote 192.0.2.9 nolearning`);
    node.ip('link set pv001-g up');
    node.ip(`nexthop add id ${member} via 10.65.0.4 dev pv001-g onlink`);
    node.ip(`nexthop add id ${group} group ${member}`);
    node.ip(`route add 10.65.8.0/31 table 50001 proto 246 nhid ${group}`);
    await expect(apply({})).rejects.toMatchObject({ code: 'conflict' });
    const { differences } = await apply({ repair: true });
    expect(differences).toEqual(
      expect.arrayContaining([
        {
          kind: 'interface',
          name: 'pv001-g',
          wanted: 'a vxlan with VNI 4098 to 192.0.2.9:4790',
          found: 'a vxlan with VNI 4090 to 192.0.2.9:4790',
        },
        {
          kind: 'nexthop',
          name: '98304',
          wanted: 'resilient group, leads to 65536',
          found: 'plain group, leads by weight to 65536',
        },
      ]),
    );
    expect(await node.inventory()).toEqual(installed);
  });

  it('a repairing batch repairs the lead of a group', async () => {
    const wanted = 'resilient group, leads to 65536';
    const installed = await node.inventory();
    node.ip(`nexthop replace id ${lead} via 10.65.0.9 dev pv001-g onlink`);
    const found = "resilient group, leads via 10.65.0.9 over 'pv001-g'";
    await repairs([{ kind: 'nexthop', name: '98304', wanted, found }]);
    expect(await node.inventory()).toEqual(installed);
  });

  it('a repairing batch gives a lead to a group that has none', async () => {
    const installed = await node.inventory();
    const byWeight = `nexthop replace id ${group} group ${member},255 type resilient buckets 1`;
    node.ip(byWeight);
    await repairs([
      {
        kind: 'nexthop',
        name: '98304',
        wanted: 'resilient group, leads to 65536',
        found: 'resilient group, leads by weight to 65536',
      },
    ]);
    expect(await node.inventory()).toEqual(installed);
    node.ip(`nexthop del id ${group}`);
    await repairs([{ kind: 'nexthop', name: '98304', wanted: 'resilient group, leads to 65536', found: null }]);
    expect(await node.inventory()).toEqual(installed);
    node.ip(byWeight);
    await node.client().call('redirect', { groups: [{ id: group, active: member }] });
    expect(await node.inventory()).toEqual(installed);
  });

  it('a repairing batch switches a group to its other member while it recreates the tunnel below the active one', async () => {
    const installed = await node.inventory();
    const name = 'pv001-h';
    const alternative: OperationInput[] = [
      { ...vxlan, interface: name, mac: mac(5), vni: 4099 },
      { op: 'vif_up', interface: name, address: '10.65.0.5', peer: { address: '10.65.0.6', mac: mac(6) } },
      { op: 'nexthop_up', id: stray, via: '10.65.0.6', interface: name },
      { op: 'group_up', id: group, members: [member, stray], active: member, resilient: true },
    ];
    await node.apply(alternative);
    const both = operations.flatMap((operation) => (operation.op === 'group_up' ? alternative : [operation]));
    node.ip('link set pv001-g type vxlan id 4098 remote 192.0.2.8');
    const damaged = await node.inventory();
    const unreachable: OperationInput = {
      op: 'vroute',
      action: 'add',
      prefix: '10.65.7.0/24',
      source: '10.65.99.99',
      nexthopId: group,
    };
    await expect(apply({ repair: true }, [...both, unreachable])).rejects.toMatchObject({
      code: 'failed',
      hint: 'nothing was changed',
    });
    expect(await node.inventory()).toEqual(damaged);
    const tunnel = 'a vxlan with VNI 4098 to ';
    await repairs(
      [{ kind: 'interface', name: 'pv001-g', wanted: `${tunnel}192.0.2.9:4790`, found: `${tunnel}192.0.2.8:4790` }],
      both,
    );
    await apply({ repair: true });
    await node.apply([
      { op: 'nexthop_down', id: stray },
      { op: 'tunnel_down', interface: name },
    ]);
    expect(await node.inventory()).toEqual(installed);
  });

  it('a repairing batch repairs an address and a neighbour without losing the routes over the interface', async () => {
    const installed = await node.inventory();
    const router = node.router('a');
    node.ip('address add 10.65.7.7/24 dev pv001-r', router);
    node.ip('address del 10.65.0.1/32 dev pv001-r', router);
    node.ip(`neighbour replace 10.65.7.8 lladdr ${mac(9)} dev pv001-r nud permanent`, router);
    node.ip('neighbour del 10.65.0.2 dev pv001-r', router);
    await repairs(
      [
        { wanted: 'address 10.65.0.1/32', found: 'address 10.65.7.7/24' },
        { wanted: `neighbour 10.65.0.2 at ${mac(2)}`, found: `neighbour 10.65.7.8 at ${mac(9)}` },
      ].map((values) => ({ kind: 'interface', namespace: router, name: 'pv001-r', ...values })),
    );
    expect(await node.inventory()).toEqual(installed);
  });

  it('a dry run names the other end of a pair and the owner of a gate, and the repair removes the gate', async () => {
    const gate: OperationInput[] = [{ op: 'gate_up', interface: 'pv001-g', limitBytes: 5_000_000 }];
    const pair: OperationInput[] = [
      {
        op: 'tunnel_up',
        kind: 'local',
        interface: 'pv001-x',
        mac: mac(5),
        mtu: 1400,
        peer: { interface: 'pv001-y', namespace: node.router('a'), mac: mac(6) },
      },
    ];
    await node.apply([...gate, ...pair]);
    const { interfaces } = await node.inventory();
    const named = (name: string) => interfaces.find((one) => one.name === name);
    expect(named('pv001-g.ifb')).toMatchObject({ gate: { interface: 'pv001-g', closed: false } });
    expect(named('pv001-x')).toMatchObject({ peer: { name: 'pv001-y', namespace: node.router('a') } });
    expect(named('pv001-y')).toMatchObject({ peer: { name: 'pv001-x' } });
    await repairs(
      [
        { kind: 'interface', name: 'pv001-g.ifb', wanted: null, found: 'an open gate' },
        {
          kind: 'interface',
          name: 'pv001-x',
          wanted: null,
          found: `a pair with 'pv001-y' in namespace '${node.router('a')}'`,
        },
        {
          kind: 'interface',
          namespace: node.router('a'),
          name: 'pv001-y',
          wanted: null,
          found: "a pair with 'pv001-x'",
        },
      ],
      [...operations, { op: 'gate_down', interface: 'pv001-g' }, { op: 'tunnel_down', interface: 'pv001-x' }],
    );
  });
});
