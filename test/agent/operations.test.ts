/** Tests every operation on the kernel: the agent and `ip` read back what it does. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const mac = (last: number) => `02:50:0a:41:00:${last.toString(16).padStart(2, '0')}`;

describeAsRoot('the operations', () => {
  let node: AgentNode;
  let router: string;
  beforeAll(async () => {
    node = await startAgentNode();
    router = node.router('0-a');
  });
  afterAll(() => node.remove());

  /** Returns the value of a file below /proc/sys/net. */
  function setting(file: string, namespace = node.namespace): string {
    const path = `/proc/sys/net/${file}`;
    return execFileSync('nsenter', [`--net=/run/netns/${namespace}`, 'cat', path], { encoding: 'utf8' }).trim();
  }

  /** Applies twice: the second time must find nothing to do. */
  async function applyTwice(operation: OperationInput): Promise<void> {
    expect(await node.apply([operation])).toEqual(['changed']);
    expect(await node.apply([operation])).toEqual(['unchanged']);
  }

  const empty = { namespaces: [], interfaces: [], routes: [], nexthops: [], rules: false };

  it('the operations find nothing at first, and removing what does not exist changes nothing', async () => {
    expect(await node.inventory()).toEqual(empty);
    const downs: OperationInput[] = [
      { op: 'netns_down', namespace: router },
      { op: 'tunnel_down', interface: 'pv001-a' },
      { op: 'tunnel_down', interface: 'pv001-a', namespace: router },
      { op: 'vif_down', interface: 'pv001-a', address: '10.65.0.1' },
      { op: 'vroute', action: 'delete', prefix: '10.65.9.0/24' },
      { op: 'vroute', action: 'delete', prefix: '10.65.9.0/24', namespace: router },
      { op: 'nexthop_down', id: 65_536 },
      { op: 'group_down', id: 65_540 },
      { op: 'rule_down' },
    ];
    expect(await node.apply(downs)).toEqual(downs.map(() => 'unchanged'));
    expect(await node.inventory()).toEqual(empty);
  });

  it('netns_up creates a router, and changes its mode', async () => {
    await applyTwice({ op: 'netns_up', namespace: router, urpf: 'strict' });
    expect((await node.inventory()).namespaces).toEqual([router]);
    const read = () => [
      setting('ipv4/ip_forward', router),
      setting('ipv4/conf/all/rp_filter', router),
      setting('ipv4/nexthop_compat_mode', router),
      setting('ipv4/icmp_ratelimit', router),
      setting('ipv6/conf/all/disable_ipv6', router),
    ];
    expect(read()).toEqual(['1', '1', '0', '0', '1']);
    await applyTwice({ op: 'netns_up', namespace: router, urpf: 'loose' });
    expect(read()).toEqual(['1', '2', '0', '0', '1']);
    await applyTwice({ op: 'netns_up', namespace: router, urpf: 'feasible' });
    expect(read()).toEqual(['1', '1', '0', '0', '1']);
  });

  const vxlan = {
    op: 'tunnel_up',
    kind: 'vxlan',
    interface: 'pv001-v',
    vni: 4097,
    remote: '192.0.2.9',
    port: 4790,
  } as const;

  it("tunnel_up creates a VXLAN for a router with its socket in the node's own stack, and adjusts it", async () => {
    await applyTwice({ ...vxlan, namespace: router, mac: mac(1), mtu: 1400 });
    await applyTwice({ ...vxlan, namespace: router, mac: mac(2), mtu: 1300 });
    expect((await node.inventory()).interfaces).toEqual([
      {
        namespace: router,
        name: 'pv001-v',
        kind: 'vxlan',
        up: false,
        mtu: 1300,
        mac: mac(2),
        vni: 4097,
        remote: '192.0.2.9',
        port: 4790,
        addresses: [],
      },
    ]);
    node.ip('link set pv001-v up', router);
    const sockets = (namespace: string) => readFileSync(`/proc/${pidIn(namespace)}/net/udp`, 'utf8');
    expect(sockets(node.namespace)).toContain(':12B6 ');
    node.ip('link set pv001-v down', router);
  });

  /** The agent is a process of the node's own stack. */
  function pidIn(namespace: string): string {
    return execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).split('\n')[0]!;
  }

  it('tunnel_up refuses contradictions', async () => {
    const wanted = { ...vxlan, namespace: router, mac: mac(2), mtu: 1300 };
    const where = `interface 'pv001-v' in namespace '${router}'`;
    await expect(node.apply([{ ...wanted, vni: 4098 }])).rejects.toMatchObject({
      code: 'conflict',
      message: `${where} is a vxlan with VNI 4097 to 192.0.2.9:4790, requested: a vxlan with VNI 4098 to 192.0.2.9:4790`,
      hint: 'take it down first',
    });
    await expect(node.apply([{ ...wanted, interface: 'pv001-w' }])).rejects.toMatchObject({
      code: 'conflict',
      message: `VNI 4097 at port 4790 is taken by ${where}, requested: interface 'pv001-w' in namespace '${router}'`,
    });
    await expect(node.apply([{ ...wanted, interface: 'pv001-w', namespace: `${router}x` }])).rejects.toMatchObject({
      code: 'not-found',
      message: `there is no namespace '${router}x'`,
      hint: 'create it with netns_up',
    });
  });

  it('tunnel_up creates both ends of a local tunnel, and recognizes them', async () => {
    const peer = { interface: 'pv001-r', namespace: router, mac: mac(4) };
    const local = { op: 'tunnel_up', kind: 'local', interface: 'pv001-g', mac: mac(3), mtu: 1400, peer } as const;
    await applyTwice(local);
    await applyTwice({ ...local, mtu: 1350 });
    // Described from the other end it is the same tunnel.
    expect(await node.apply([{ ...local, mtu: 1350, ...peer, peer: { interface: 'pv001-g', mac: mac(3) } }])).toEqual([
      'unchanged',
    ]);
    await expect(node.apply([{ ...local, peer: { interface: 'pv001-x', mac: mac(4) } }])).rejects.toMatchObject({
      code: 'conflict',
      message: `interface 'pv001-g' is a pair with 'pv001-r' in namespace '${router}', requested: a pair with 'pv001-x'`,
    });
    await expect(node.apply([{ ...local, interface: 'pv001-x' }])).rejects.toMatchObject({
      code: 'conflict',
      message: `interface 'pv001-r' in namespace '${router}' is a pair with 'pv001-g', requested: a pair with 'pv001-x'`,
    });
  });

  const own = {
    op: 'vif_up',
    interface: 'pv001-g',
    address: '10.65.0.1',
    peer: { address: '10.65.0.2', mac: mac(4) },
  } as const;

  it("vif_up gives an interface of the node's own stack its address, neighbour, route and mode", async () => {
    await applyTwice({ ...own, urpf: 'strict' });
    expect(setting('ipv4/conf/pv001-g/rp_filter')).toBe('1');
    expect(setting('ipv4/conf/pv001-g/forwarding')).toBe('1');
    await applyTwice({ ...own, urpf: 'loose' });
    expect(setting('ipv4/conf/pv001-g/rp_filter')).toBe('2');
    expect(node.ip('-4 -br address show pv001-g')).toMatch(/^pv001-g@if\d+ +\S+ +10\.65\.0\.1\/32$/);
    expect(node.ip('neighbour show dev pv001-g nud permanent')).toBe(`10.65.0.2 lladdr ${mac(4)} PERMANENT`);
    expect(node.ip('route show table 50001')).toMatch(/^10\.65\.0\.2 dev pv001-g proto 245 scope link/);
    expect(node.ip('route show table main')).toBe('');
  });

  it('vif_up gives a router its address, and corrects a neighbour', async () => {
    const peer = { address: '10.65.0.1', mac: mac(9) };
    const vif = { op: 'vif_up', interface: 'pv001-r', namespace: router, address: '10.65.0.2', peer } as const;
    await applyTwice(vif);
    await applyTwice({ ...vif, peer: { ...peer, mac: mac(3) } });
    expect(node.ip('neighbour show nud permanent', router)).toBe(`10.65.0.1 dev pv001-r lladdr ${mac(3)} PERMANENT`);
    expect(node.ip('route get 10.65.0.1', router)).toMatch(/^10\.65\.0\.1 dev pv001-r src 10\.65\.0\.2/);
  });

  it('vif_up refuses another address or neighbour, and a missing interface', async () => {
    await expect(node.apply([{ ...own, address: '10.65.0.3' }])).rejects.toMatchObject({
      code: 'conflict',
      message: "interface 'pv001-g' has address 10.65.0.1/32, requested: 10.65.0.3/32",
    });
    await expect(node.apply([{ ...own, peer: { address: '10.65.0.9', mac: mac(4) } }])).rejects.toMatchObject({
      code: 'conflict',
      message: "interface 'pv001-g' has neighbour 10.65.0.2, requested: 10.65.0.9",
    });
    await expect(node.apply([{ ...own, interface: 'pv001-q' }])).rejects.toMatchObject({
      code: 'not-found',
      message: "there is no interface 'pv001-q'",
      hint: 'create it with tunnel_up',
    });
  });

  it('rule_up sends the subnet to a table that rejects what no entry matches', async () => {
    await applyTwice({ op: 'rule_up' });
    expect((await node.inventory()).rules).toBe(true);
    expect(node.ip('rule show priority 10001').split('\n')).toEqual([
      '10001:\tfrom 10.65.0.0/16 lookup 50001',
      '10001:\tfrom all to 10.65.0.0/16 lookup 50001',
    ]);
    expect(() => node.ip('route get 10.65.77.7')).toThrow('RTNETLINK answers: No route to host');
  });

  it('nexthop_up and group_up create the nexthops of routes, and report what they cannot do', async () => {
    await applyTwice({ op: 'nexthop_up', id: 65_536, via: '10.65.0.2', interface: 'pv001-g' });
    await applyTwice({ op: 'nexthop_up', id: 65_537, via: '10.65.0.6', interface: 'pv001-g' });
    const group = { op: 'group_up' as const, id: 65_540, members: [65_536], active: 65_536, resilient: false };
    await applyTwice(group);
    await applyTwice({ ...group, members: [65_537], active: 65_537 });
    const both = [65_536, 65_537];
    await applyTwice({ ...group, id: 65_541, members: both, resilient: true });
    await applyTwice({ ...group, id: 65_541, members: both, active: 65_537, resilient: true });
    expect((await node.inventory()).nexthops).toEqual([
      { id: 65_536, via: '10.65.0.2', interface: 'pv001-g' },
      { id: 65_537, via: '10.65.0.6', interface: 'pv001-g' },
      { id: 65_540, group: [65_537], active: 65_537, resilient: false },
      { id: 65_541, group: both, active: 65_537, resilient: true },
    ]);
    expect(node.ip('nexthop bucket show id 65541')).toMatch(/nhid 81925/);
    expect(node.ip('nexthop show id 81925')).toMatch('via 10.65.0.6 dev pv001-g');
    const cases: [OperationInput, object][] = [
      [
        { op: 'nexthop_up', id: 65_536, via: '10.65.0.9', interface: 'pv001-g' },
        {
          code: 'conflict',
          message: "nexthop 65536 via 10.65.0.2 over 'pv001-g' exists, requested: via 10.65.0.9 over 'pv001-g'",
        },
      ],
      [
        { ...group, members: [65_599], active: 65_599 },
        { code: 'not-found', message: 'there is no nexthop 65599' },
      ],
      [
        { op: 'nexthop_up', id: 81_925, via: '10.65.0.9', interface: 'pv001-g' },
        { code: 'conflict', message: 'nexthop 81925 is the lead of group 65541' },
      ],
      [
        { ...group, active: 65_537 },
        {
          code: 'invalid-input',
          message: 'group 65540: active nexthop 65537 is not one of its members 65536',
        },
      ],
      [
        { op: 'nexthop_down', id: 65_537 },
        { code: 'conflict', message: 'nexthop 65537 is used by group 65540' },
      ],
      [
        { op: 'group_down', id: 65_536 },
        {
          code: 'conflict',
          message: "nexthop 65536 via 10.65.0.2 over 'pv001-g' is not a group",
        },
      ],
      [
        { op: 'nexthop_down', id: 65_540 },
        { code: 'conflict', message: 'group 65540 of 65537 is a group' },
      ],
      [
        { op: 'vif_down', interface: 'pv001-g', address: '10.65.0.1' },
        {
          code: 'conflict',
          message: 'nexthop 65536 is used by group 65541',
        },
      ],
    ];
    for (const [operation, error] of cases) await expect(node.apply([operation])).rejects.toMatchObject(error);
  });

  it("vroute adds, replaces and deletes entries of the slice's table", async () => {
    const route = { op: 'vroute', action: 'add', prefix: '10.65.9.0/24' } as const;
    await applyTwice({ ...route, nexthopId: 65_540 });
    await applyTwice({ ...route, nexthopId: 65_541 });
    await applyTwice({
      ...route,
      metric: 7,
      source: '10.65.0.1',
      nexthops: [{ interface: 'pv001-g', via: '10.65.0.2' }],
    });
    await applyTwice({ ...route, prefix: '10.65.10.0/24', type: 'blackhole' });
    const { routes } = await node.client().call('routes', {});
    expect(routes.filter(({ protocol }) => protocol === '246')).toEqual([
      { prefix: '10.65.10.0/24', type: 'blackhole', nexthops: [], protocol: '246' },
      { prefix: '10.65.9.0/24', type: 'unicast', nexthops: [], nexthopId: 65_541, protocol: '246' },
      {
        prefix: '10.65.9.0/24',
        type: 'unicast',
        nexthops: [{ interface: 'pv001-g', via: '10.65.0.2', weight: 1 }],
        metric: 7,
        source: '10.65.0.1',
        protocol: '246',
      },
    ]);
    await expect(node.apply([{ op: 'group_down', id: 65_541 }])).rejects.toMatchObject({
      code: 'conflict',
      message: 'group 65541 of 65536, 65537 is used by the route to 10.65.9.0/24',
    });
    await applyTwice({ ...route, action: 'delete', metric: 7 });
    await applyTwice({ ...route, action: 'delete', prefix: '10.65.10.0/24' });
    expect((await node.inventory()).routes.filter(({ protocol }) => protocol === '246')).toHaveLength(1);
  });

  it('vroute serves routers, several next hops at once, and leaves existing entries alone', async () => {
    const hops = [
      { interface: 'pv001-r', via: '10.65.0.1', weight: 3 },
      { interface: 'pv001-v', weight: 1 },
    ];
    await node.apply([
      {
        op: 'vif_up',
        interface: 'pv001-v',
        namespace: router,
        address: '10.65.0.5',
        peer: { address: '10.65.0.6', mac: mac(6) },
      },
    ]);
    await applyTwice({ op: 'vroute', action: 'add', namespace: router, prefix: '10.65.20.0/24', nexthops: hops });
    node.ip('route add 10.65.21.0/24 via 10.65.0.1', router);
    expect(
      await node.apply([
        {
          op: 'vroute',
          action: 'add',
          namespace: router,
          prefix: '10.65.21.0/24',
          nexthops: [{ ...hops[0]!, weight: 1 }],
        },
      ]),
    ).toEqual(['unchanged']);
    const { routes } = await node.client().call('routes', { namespace: router });
    expect(routes.slice(-2)).toEqual([
      { prefix: '10.65.20.0/24', type: 'unicast', nexthops: hops, protocol: '246' },
      { prefix: '10.65.21.0/24', type: 'unicast', nexthops: [{ ...hops[0], weight: 1 }], protocol: 'boot' },
    ]);
  });

  it('vroute refuses invalid routes', async () => {
    const route = { op: 'vroute', action: 'add', prefix: '10.65.9.0/24' } as const;
    const hops = [{ interface: 'pv001-r' }];
    const cases: [OperationInput, object][] = [
      [route, { code: 'invalid-input', message: 'route to 10.65.9.0/24: give either next hops or a nexthop id' }],
      [
        { ...route, nexthops: hops, nexthopId: 65_540 },
        {
          code: 'invalid-input',
          message: 'route to 10.65.9.0/24: give either next hops or a nexthop id',
        },
      ],
      [
        { ...route, type: 'prohibit', nexthopId: 65_540 },
        {
          code: 'invalid-input',
          message: 'route to 10.65.9.0/24: a prohibit route has no next hop',
        },
      ],
      [
        { ...route, namespace: router, nexthopId: 65_540 },
        {
          code: 'invalid-input',
          message: `route to 10.65.9.0/24 in namespace '${router}': routers have no nexthop ids`,
        },
      ],
      [
        { ...route, nexthopId: 65_599 },
        { code: 'not-found', message: 'there is no nexthop 65599' },
      ],
      [
        { ...route, nexthops: hops },
        { code: 'not-found', message: "there is no interface 'pv001-r'" },
      ],
      [
        { ...route, action: 'delete', prefix: '10.65.0.2/32' },
        {
          code: 'conflict',
          message: "the route to 10.65.0.2/32 belongs to interface 'pv001-g'",
        },
      ],
      [
        { ...route, prefix: '10.65.0.2/32', type: 'blackhole' },
        {
          code: 'conflict',
          message: "the route to 10.65.0.2/32 belongs to interface 'pv001-g'",
        },
      ],
    ];
    for (const [operation, error] of cases) await expect(node.apply([operation])).rejects.toMatchObject(error);
    await expect(node.client().call('routes', { namespace: `${router}x` })).rejects.toMatchObject({
      code: 'not-found',
      message: `there is no namespace '${router}x'`,
    });
  });

  it('the removing operations remove everything', async () => {
    await applyTwice({ op: 'vroute', action: 'delete', prefix: '10.65.9.0/24' });
    await applyTwice({ op: 'group_down', id: 65_540 });
    await applyTwice({ op: 'group_down', id: 65_541 });
    await applyTwice({ op: 'nexthop_down', id: 65_537 });
    await applyTwice({ op: 'vif_down', interface: 'pv001-g', address: '10.65.0.1' });
    expect((await node.inventory()).nexthops).toEqual([]);
    await applyTwice({ op: 'tunnel_down', interface: 'pv001-g' });
    expect((await node.inventory()).interfaces.map(({ name }) => name)).toEqual(['pv001-v']);
    await applyTwice({ op: 'netns_down', namespace: router });
    await applyTwice({ op: 'rule_down' });
    expect(await node.inventory()).toEqual(empty);
    expect(node.ip('rule show')).not.toContain('10001:');
  });
});

describeAsRoot('limits', () => {
  let node: AgentNode;
  beforeAll(async () => {
    node = await startAgentNode({ namespaces: 1, tunnels: 2, routes: 5 });
  });
  afterAll(() => node.remove());

  it('limits count what exists and the batch together', async () => {
    const router = node.router('a');
    const vxlan = (index: number) =>
      ({
        op: 'tunnel_up',
        kind: 'vxlan',
        interface: `pv001-${index}`,
        mac: mac(index),
        mtu: 1400,
        vni: 4096 + index,
        remote: '192.0.2.9',
        port: 4790,
      }) as const;
    const route = (index: number) =>
      ({ op: 'vroute', action: 'add', prefix: `10.65.${index}.0/24`, type: 'blackhole' }) as const;
    const refused = (limit: string) => ({
      code: 'forbidden',
      message: `slice 'test' may have at most ${limit} on this node`,
    });
    await node.apply([{ op: 'netns_up', namespace: router, urpf: 'strict' }, vxlan(1), route(1)]);
    const before = await node.inventory();
    await expect(node.apply([{ op: 'netns_up', namespace: node.router('b'), urpf: 'strict' }])).rejects.toMatchObject(
      refused('1 namespaces'),
    );
    await expect(node.apply([vxlan(2), vxlan(3)])).rejects.toMatchObject(refused('2 tunnels'));
    await expect(node.apply([2, 3, 4, 5, 6].map(route))).rejects.toMatchObject(refused('5 routes'));
    expect(await node.inventory()).toEqual(before);
    expect(await node.apply([2, 3, 4, 5].map(route))).toEqual(Array(4).fill('changed'));
  });
});
