/** Tests the planner on written states: what it would do, with which inverses, and when it does nothing. */
import { describe, expect, it } from 'vitest';
import type { Command, Step } from '../../src/agent/dataplane/planner/commands.ts';
import { groupLeadingTo } from '../../src/agent/dataplane/planner/group.ts';
import { planOperations } from '../../src/agent/dataplane/planner/plan.ts';
import { quietInterface } from '../../src/agent/dataplane/planner/quiet.ts';
import {
  type KernelRoute,
  type KernelState,
  type Link,
  type Nexthop,
  routeKey,
  type Stack,
} from '../../src/agent/dataplane/planner/state.ts';
import { type Operation, type OperationInput, operationSchema } from '../../src/vsys/operations.ts';
import { testPolicy } from '../support/agent-node.ts';

const policy = testPolicy('r-');
const mac = '02:50:0a:41:00:01';

function stack(
  links: readonly Link[] = [],
  routes: readonly KernelRoute[] = [],
  settings: [string, string][] = [],
): Stack {
  return {
    links: new Map(links.map((link) => [link.name, link])),
    routes: new Map(routes.map((route) => [routeKey(route), route])),
    settings: new Map(settings),
  };
}

function link(name: string, more: Partial<Link> = {}): Link {
  const vxlan = { vni: 4097, remote: '192.0.2.9', port: 4790 };
  return { name, kind: 'vxlan', up: true, mtu: 1400, mac, vxlan, hook: false, addresses: [], neighbours: [], ...more };
}

function state(own: Stack, routers: Record<string, Stack> = {}, nexthops: readonly Nexthop[] = []): KernelState {
  return {
    stacks: new Map([['', own], ...Object.entries(routers)]),
    nexthops: new Map(nexthops.map((nexthop) => [nexthop.id, nexthop])),
    rules: new Set(),
  };
}

const empty = state(stack());

function plan(from: KernelState, ...operations: OperationInput[]) {
  return planOperations(
    from,
    operations.map((operation): Operation => operationSchema.parse(operation)),
    policy,
  );
}

function written(step: Step): string {
  const where = step.namespace === '' ? '' : `${step.namespace}: `;
  if ('ip' in step) return where + step.ip.join(' ') + (step.rest ?? '');
  if ('bridge' in step) return `${where}bridge ${step.bridge.join(' ')}`;
  if ('tc' in step) return `${where}tc ${step.tc.join(' ')}`;
  if ('nft' in step) return `${where}nft ${step.nft.join(' | ')}`;
  if ('machine' in step) return `${where}machine ${step.machine?.image.slice(0, 4) ?? 'none'}`;
  if ('daemon' in step) return `${where}daemon ${step.daemon?.kind ?? 'none'}`;
  if ('settleMs' in step) return `${where}wait ${step.settleMs} ms`;
  if ('listeners' in step) return `${where}wait for listeners at ${step.listeners.join(', ')}`;
  return where + [...step.settings].map(([file, value]) => `${file}=${value}`).join(' ');
}

/** Returns each command as `what is done <- what undoes it`. */
function lines(commands: readonly Command[]): string[] {
  return commands.map(({ do: step, undo }) => `${written(step)} <- ${undo.map(written).join('; ')}`);
}

const routerFiles =
  'ipv4/ip_forward=1 ipv4/conf/default/rp_filter=0 ipv4/conf/all/rp_filter=1 ipv4/nexthop_compat_mode=0 ipv4/icmp_ratelimit=0 ';

describe('planOperations', () => {
  it('planOperations creates a router', () => {
    const { commands, results } = plan(empty, { op: 'netns_up', namespace: 'r-a', urpf: 'feasible' });
    expect(results).toEqual([{ op: 'netns_up', status: 'changed' }]);
    expect(lines(commands)).toEqual([
      'netns add r-a <- netns del r-a',
      'r-a: link set lo up <- r-a: link set lo down',
      expect.stringMatching(`^r-a: ${routerFiles}.* <- r-a: $`),
    ]);
  });

  it('planOperations sees what earlier operations of the batch have created', () => {
    const up: OperationInput[] = [
      { op: 'netns_up', namespace: 'r-a', urpf: 'strict' },
      {
        op: 'tunnel_up',
        kind: 'vxlan',
        interface: 'pv001-a',
        namespace: 'r-a',
        mac,
        mtu: 1400,
        vni: 4097,
        remote: '192.0.2.9',
        port: 4790,
      },
      {
        op: 'vif_up',
        interface: 'pv001-a',
        namespace: 'r-a',
        address: '10.65.0.1',
        peer: { address: '10.65.0.2', mac },
      },
      {
        op: 'vroute',
        action: 'add',
        namespace: 'r-a',
        prefix: '10.65.9.0/24',
        nexthops: [{ interface: 'pv001-a', via: '10.65.0.2' }],
      },
    ];
    const first = plan(empty, ...up);
    expect(lines(first.commands).slice(3)).toEqual([
      'link add pv001-a netns r-a mtu 1400 address 02:50:0a:41:00:01 arp off multicast off type vxlan id 4097 dstport 4790 remote 192.0.2.9 nolearning ttl 64 <- r-a: link del pv001-a',
      'r-a: address add 10.65.0.1/32 dev pv001-a noprefixroute <- r-a: address del 10.65.0.1/32 dev pv001-a noprefixroute',
      'r-a: link set pv001-a up <- r-a: link set pv001-a down',
      'r-a: neighbour replace 10.65.0.2 lladdr 02:50:0a:41:00:01 dev pv001-a nud permanent <- r-a: neighbour del 10.65.0.2 lladdr 02:50:0a:41:00:01 dev pv001-a nud permanent',
      'r-a: route add 10.65.0.2/32 table 254 proto 245 dev pv001-a <- r-a: route del 10.65.0.2/32 table 254 proto 245 dev pv001-a',
      'r-a: route add 10.65.9.0/24 table 254 proto 246 via 10.65.0.2 dev pv001-a onlink <- r-a: route del 10.65.9.0/24 table 254 proto 246 via 10.65.0.2 dev pv001-a onlink',
    ]);
    expect(plan(first.state, ...up).commands).toEqual([]);
    const both = plan(empty, ...up, ...up);
    expect(both.results.map(({ status }) => status)).toEqual([
      ...Array(4).fill('changed'),
      ...Array(4).fill('unchanged'),
    ]);
    const down = plan(first.state, { op: 'netns_down', namespace: 'r-a' });
    expect([...down.state.stacks.keys()]).toEqual(['']);
  });

  it('planOperations lets a routing daemon see the neighbour in the subnet of its interface', () => {
    const place = { interface: 'pv001-a', namespace: 'r-a' };
    const vif = { op: 'vif_up', ...place, address: '10.65.0.2', peer: { address: '10.65.0.3', mac } } as const;
    const router: OperationInput[] = [
      { op: 'netns_up', namespace: 'r-a', urpf: 'strict' },
      { op: 'tunnel_up', kind: 'vxlan', ...place, mac, mtu: 1400, vni: 4097, remote: '192.0.2.9', port: 4790 },
    ];
    const before = plan(empty, ...router).state;
    const made = plan(before, { ...vif, pointToPoint: true });
    expect(lines(made.commands)).toEqual([
      'r-a: link set pv001-a multicast on <- r-a: link set pv001-a multicast off',
      'r-a: address add 10.65.0.2/31 dev pv001-a <- r-a: address del 10.65.0.2/31 dev pv001-a',
      'r-a: link set pv001-a up <- r-a: link set pv001-a down',
      'r-a: neighbour replace 10.65.0.3 lladdr 02:50:0a:41:00:01 dev pv001-a nud permanent <- r-a: neighbour del 10.65.0.3 lladdr 02:50:0a:41:00:01 dev pv001-a nud permanent',
    ]);
    expect(plan(made.state, ...router, { ...vif, pointToPoint: true }).commands).toEqual([]);
    // The kernel's own entry comes back with the address.
    const { stacks } = made.state;
    const lost = { ...made.state, stacks: new Map(stacks).set('r-a', { ...stacks.get('r-a')!, routes: new Map() }) };
    expect(lines(plan(lost, { ...vif, pointToPoint: true }).commands)).toEqual([
      'r-a: address del 10.65.0.2/31 dev pv001-a <- r-a: address add 10.65.0.2/31 dev pv001-a',
      'r-a: address add 10.65.0.2/31 dev pv001-a <- r-a: address del 10.65.0.2/31 dev pv001-a',
    ]);
    const own = { ...vif, interface: 'pv001-b', namespace: undefined, pointToPoint: true };
    expect(() => plan(state(stack([link('pv001-b')])), own)).toThrow(
      "interface 'pv001-b': routing daemons run in router namespaces only",
    );
  });

  it('planOperations needs the MAC address of a neighbour over a tunnel that has MAC addresses', () => {
    const up: OperationInput = {
      op: 'vif_up',
      interface: 'pv001-a',
      address: '10.65.0.1',
      peer: { address: '10.65.0.2' },
    };
    expect(() => plan(state(stack([link('pv001-a')])), up)).toThrow(
      "interface 'pv001-a' needs the MAC address of its neighbour 10.65.0.2",
    );
  });

  it('planOperations gives an access interface a hook before it is up, and again when its removal is undone', () => {
    const up: OperationInput[] = [
      {
        op: 'tunnel_up',
        kind: 'vxlan',
        interface: 'pv001-e0g',
        mac,
        mtu: 1400,
        vni: 4097,
        remote: '192.0.2.9',
        port: 4790,
        gateable: true,
      },
      { op: 'vif_up', interface: 'pv001-e0g', address: '10.65.0.1', peer: { address: '10.65.0.2', mac } },
    ];
    const made = planOperations(
      empty,
      up.map((operation) => operationSchema.parse(operation)),
      policy,
    );
    const told = lines(made.commands);
    const indexOf = (start: string) => told.findIndex((line) => line.startsWith(start));
    expect(told).toContain('tc qdisc add dev pv001-e0g ingress <- tc qdisc del dev pv001-e0g ingress');
    expect(indexOf('tc qdisc add dev pv001-e0g')).toBe(indexOf('link add pv001-e0g') + 1);
    expect(indexOf('link set pv001-e0g up')).toBeGreaterThan(indexOf('tc qdisc add dev pv001-e0g'));
    const { commands } = plan(made.state, { op: 'tunnel_down', interface: 'pv001-e0g' });
    const undo = commands.at(-1)!.undo.map(written);
    expect(undo[0]).toMatch(/^link add pv001-e0g /);
    expect(undo[1]).toBe('tc qdisc add dev pv001-e0g ingress');
    expect(undo.at(-1)).toBe('link set pv001-e0g up');
    // A gate then only adds a filter to the interface.
    const gate = plan(made.state, { op: 'gate_up', interface: 'pv001-e0g', limitBytes: 5_000_000 }).commands;
    expect(lines(gate).filter((line) => line.includes('dev pv001-e0g '))).toHaveLength(1);
  });

  it('planOperations needs the address of a forward, and lets the forward go with it', () => {
    const listen: OperationInput = {
      op: 'forward_up',
      side: 'listen',
      localPort: 5353,
      address: '10.65.0.1',
      to: { address: '10.65.0.3', port: 53 },
    };
    expect(() => plan(empty, listen)).toThrow(
      expect.objectContaining({ code: 'not-found', message: '10.65.0.1 is not an address of this node' }),
    );
    const address = { address: '10.65.0.1', length: 32, bare: true };
    const ready = state(stack([link('r-x', { addresses: [address] })]));
    const made = plan(ready, listen);
    expect(made.results).toEqual([{ op: 'forward_up', status: 'changed' }]);
    expect(made.commands).toEqual([]);
    expect([...made.state.forwards!.keys()]).toEqual(['127.0.0.1:5353']);
    expect(plan(made.state, listen).results).toEqual([{ op: 'forward_up', status: 'unchanged' }]);
    const gone = plan(made.state, { op: 'vif_down', interface: 'r-x', address: '10.65.0.1' });
    expect(gone.state.forwards!.size).toBe(0);
  });

  it('planOperations refuses to deliver to a port where a forward listens', () => {
    const ready = state(stack([link('r-x', { addresses: [{ address: '10.65.0.1', length: 32, bare: true }] })]));
    const listen: OperationInput = {
      op: 'forward_up',
      side: 'listen',
      localPort: 5353,
      address: '10.65.0.1',
      to: { address: '10.65.0.3', port: 53 },
    };
    const deliver: OperationInput = { op: 'forward_up', side: 'deliver', address: '10.65.0.1', port: 5353 };
    for (const both of [
      [listen, deliver],
      [deliver, listen],
    ]) {
      expect(() => plan(ready, ...both)).toThrow(
        expect.objectContaining({
          code: 'conflict',
          message: 'port 5353 of 127.0.0.1 cannot be both where a forward listens and where datagrams are delivered',
        }),
      );
    }
  });

  it('planOperations does not modify the given state', () => {
    const before = state(stack([link('pv001-a')]));
    plan(before, { op: 'tunnel_down', interface: 'pv001-a' }, { op: 'netns_up', namespace: 'r-a', urpf: 'strict' });
    expect(before).toEqual(state(stack([link('pv001-a')])));
  });

  it('planOperations removes an interface with everything that depends on it, each with its inverse', () => {
    const route = { prefix: '10.65.9.0/24', type: 'unicast', table: 50_001, protocol: 3, onlink: false } as const;
    const hop = { interface: 'pv001-a', weight: 1 };
    const own = stack(
      [
        link('pv001-a', {
          addresses: [
            { address: '10.65.0.1', length: 32, bare: true },
            { address: '10.65.7.1', length: 24, broadcast: '10.65.7.255', bare: false },
          ],
          neighbours: [{ address: '10.65.0.2', mac }],
        }),
      ],
      [
        { ...route, prefix: '10.65.0.2/32', nexthops: [hop], protocol: 245 },
        { ...route, prefix: '10.65.7.0/24', nexthops: [hop], protocol: 2, source: '10.65.7.1' },
        { ...route, nexthops: [{ ...hop, via: '10.65.0.2' }], metric: 9 },
        { ...route, type: 'blackhole', nexthops: [] },
        { ...route, prefix: '10.65.8.0/24', type: 'blackhole', nexthops: [], source: '10.65.7.1' },
      ],
      [
        ['ipv4/conf/pv001-a/forwarding', '1'],
        ['ipv4/conf/pv001-a/rp_filter', '2'],
      ],
    );
    const nexthop = { id: 65_536, via: '10.65.0.2', interface: 'pv001-a', onlink: true };
    const { commands, state: after } = plan(state(own, {}, [nexthop]), { op: 'tunnel_down', interface: 'pv001-a' });
    expect(lines(commands)).toEqual([
      'route del 10.65.9.0/24 table 50001 proto 3 metric 9 via 10.65.0.2 dev pv001-a <- route prepend 10.65.9.0/24 table 50001 proto 3 metric 9 via 10.65.0.2 dev pv001-a',
      'route del blackhole 10.65.8.0/24 table 50001 proto 3 src 10.65.7.1 <- route prepend blackhole 10.65.8.0/24 table 50001 proto 3 src 10.65.7.1',
      'route del 10.65.0.2/32 table 50001 proto 245 dev pv001-a <- route prepend 10.65.0.2/32 table 50001 proto 245 dev pv001-a',
      'nexthop del id 65536 <- nexthop add id 65536 via 10.65.0.2 dev pv001-a onlink',
      'neighbour del 10.65.0.2 lladdr 02:50:0a:41:00:01 dev pv001-a nud permanent <- neighbour replace 10.65.0.2 lladdr 02:50:0a:41:00:01 dev pv001-a nud permanent',
      'address del 10.65.7.1/24 broadcast 10.65.7.255 dev pv001-a <- address add 10.65.7.1/24 broadcast 10.65.7.255 dev pv001-a',
      'address del 10.65.0.1/32 dev pv001-a noprefixroute <- address add 10.65.0.1/32 dev pv001-a noprefixroute',
      'link del pv001-a <- link add pv001-a mtu 1400 address 02:50:0a:41:00:01 arp off multicast off type vxlan id 4097 dstport 4790 remote 192.0.2.9 nolearning ttl 64; ' +
        'ipv4/conf/pv001-a/forwarding=1 ipv4/conf/pv001-a/rp_filter=2; link set pv001-a up',
    ]);
    expect(after).toMatchObject({ nexthops: new Map() });
    expect(after.stacks.get('')).toEqual(stack([], [{ ...route, type: 'blackhole', nexthops: [] }]));
  });

  it('planOperations restores a local tunnel with both ends as they were', () => {
    const near = link('pv001-g', { kind: 'veth', peer: { namespace: 'r-a', name: 'pv001-r' } });
    const far = link('pv001-r', { kind: 'veth', mtu: 1300, up: false, peer: { namespace: '', name: 'pv001-g' } });
    const pair = state(stack([near]), { 'r-a': stack([far]) });
    for (const place of [{ interface: 'pv001-g' }, { interface: 'pv001-r', namespace: 'r-a' }]) {
      const { commands, state: after } = plan(pair, { op: 'tunnel_down', ...place });
      const [first, second] = ['pv001-g mtu 1400', 'pv001-r netns r-a mtu 1300'].map(
        (end) => `${end} address ${mac} arp off multicast off`,
      );
      const isNear = place.interface === 'pv001-g';
      const add = isNear ? `${first} type veth peer name ${second}` : `${second} type veth peer name ${first}`;
      expect(lines(commands)).toEqual([
        `${isNear ? '' : 'r-a: '}link del ${place.interface} <- link add ${add}; link set pv001-g up`,
      ]);
      expect([...after.stacks.values()].map(({ links }) => links.size)).toEqual([0, 0]);
    }
  });

  it('planOperations refuses to remove hardware, and pairs that lead elsewhere', () => {
    const cases = [
      [link('eth1', { kind: '' }), 'hardware'],
      [link('pv001-x', { kind: 'veth' }), "a pair whose other end is not the slice's"],
    ] as const;
    for (const [foreign, what] of cases) {
      const { vxlan: _vxlan, ...plain } = foreign;
      expect(() => plan(state(stack(), { 'r-a': stack([plain]) }), { op: 'netns_down', namespace: 'r-a' })).toThrow(
        expect.objectContaining({
          code: 'conflict',
          message: `interface '${foreign.name}' in namespace 'r-a' is ${what}`,
          hint: 'ask its owner to remove it',
        }),
      );
    }
  });

  it('planOperations removes all interfaces of a namespace by one command, and restores each', () => {
    const router = stack([link('pv001-a'), link('pv001-b'), link('pv001-c', { up: false })]);
    const { commands } = plan(state(stack(), { 'r-a': router }), { op: 'netns_down', namespace: 'r-a' });
    const again = (name: string) =>
      `link add ${name} netns r-a mtu 1400 address ${mac} arp off multicast off type vxlan id 4097 dstport 4790 remote 192.0.2.9 nolearning ttl 64`;
    expect(lines(commands)).toEqual([
      ...['a', 'b', 'c'].map(
        (name) => `r-a: link set pv001-${name} group 28790 <- r-a: link set pv001-${name} group default`,
      ),
      `r-a: link del group 28790 <- ${again('pv001-c')}; ${again('pv001-b')}; r-a: link set pv001-b up; ${again('pv001-a')}; r-a: link set pv001-a up`,
      'netns del r-a <- netns add r-a; r-a: ',
    ]);
    const alone = plan(state(stack(), { 'r-a': stack([link('pv001-a')]) }), { op: 'netns_down', namespace: 'r-a' });
    expect(lines(alone.commands)[0]).toMatch(/^r-a: link del pv001-a <- /);
  });

  it('planOperations restores several entries for one prefix in their order', () => {
    const route = { prefix: '10.65.9.0/24', type: 'unicast', table: 254, protocol: 3, onlink: false } as const;
    const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ ...route, nexthops: [{ interface: name, weight: 1 }] }));
    const key = routeKey(route);
    const routes = new Map([
      [key, a!],
      [`${key} again`, b!],
      [`${key} again again`, c!],
    ]);
    const router = { links: new Map(), routes, settings: new Map() };
    const { commands } = plan(state(stack(), { 'r-a': router }), { op: 'netns_down', namespace: 'r-a' });
    expect(lines(commands)).toEqual([
      'r-a: route del 10.65.9.0/24 table 254 proto 3 dev c <- r-a: route append 10.65.9.0/24 table 254 proto 3 dev c',
      'r-a: route del 10.65.9.0/24 table 254 proto 3 dev b <- r-a: route append 10.65.9.0/24 table 254 proto 3 dev b',
      'r-a: route del 10.65.9.0/24 table 254 proto 3 dev a <- r-a: route prepend 10.65.9.0/24 table 254 proto 3 dev a',
      'netns del r-a <- netns add r-a; r-a: ',
    ]);
  });

  it('planOperations replaces a group in place, and recreates it under its routes when its kind changes', () => {
    const member = (id: number) => ({ id, via: `10.65.0.${id % 10}`, interface: 'pv001-a', onlink: true });
    const group = groupLeadingTo(member(65_537), { id: 65_540, members: [65_537], resilient: false });
    const route = {
      prefix: '10.65.9.0/24',
      type: 'unicast',
      nexthops: [],
      nexthopId: 65_540,
      table: 50_001,
      protocol: 246,
      onlink: false,
    } as const;
    const before = state(stack([link('pv001-a')], [route]), {}, [member(65_536), member(65_537), group]);
    const up = { op: 'group_up' as const, id: 65_540, active: 65_536 };
    const ways = [6, 7].map((last) => `via 10.65.0.${last} dev pv001-a onlink`);
    expect(lines(plan(before, { ...up, members: [65_536], resilient: false }).commands)).toEqual([
      `nexthop replace id 81924 ${ways[0]} <- nexthop replace id 81924 ${ways[1]}; route flush cache`,
      'route flush cache <- ',
    ]);
    const resilient = 'group 81924,255/65536/65537 type resilient buckets 1 idle_timer 0 unbalanced_timer 0';
    expect(lines(plan(before, { ...up, members: [65_536, 65_537], resilient: true }).commands)).toEqual([
      'route replace 10.65.9.0/24 table 50001 proto 246 nhid 65537 <- route replace 10.65.9.0/24 table 50001 proto 246 nhid 65540',
      'nexthop del id 65540 <- nexthop add id 65540 group 81924',
      `nexthop del id 81924 <- nexthop add id 81924 ${ways[1]}`,
      `nexthop replace id 81924 ${ways[0]} <- nexthop del id 81924`,
      `nexthop add id 65540 ${resilient} <- nexthop del id 65540`,
      'route replace 10.65.9.0/24 table 50001 proto 246 nhid 65540 <- route replace 10.65.9.0/24 table 50001 proto 246 nhid 65537',
    ]);
  });

  it('planOperations leads frames for a second place there before the other remote changes, and removes that last', () => {
    const up = (more: object) =>
      ({
        op: 'tunnel_up',
        kind: 'vxlan',
        interface: 'pv001-a',
        mac,
        mtu: 1400,
        vni: 4097,
        remote: '192.0.2.9',
        port: 4790,
        ...more,
      }) as OperationInput;
    const both = { alsoFrom: '192.0.2.8', alsoMac: '02:52:0a:41:00:02' };
    const at = (more: object) => state(stack([link('pv001-a', { up: false, vxlan: { ...link('').vxlan!, ...more } })]));
    const entry = (action: string) =>
      `bridge fdb ${action} 02:52:0a:41:00:02 dev pv001-a dst 192.0.2.8 self${action === 'replace' ? ' permanent' : ''}`;
    const flip = (remote: string) => `link set pv001-a type vxlan remote ${remote}`;
    expect(lines(plan(at({}), up(both)).commands)).toEqual([`${entry('replace')} <- ${entry('del')}`]);
    expect(lines(plan(at(both), up(both)).commands)).toEqual([]);
    expect(lines(plan(at(both), up({ remote: '192.0.2.8' })).commands)).toEqual([
      `${flip('192.0.2.8')} <- ${flip('192.0.2.9')}`,
      `${entry('del')} <- ${entry('replace')}`,
    ]);
    expect(lines(plan(at(both), up({})).commands)).toEqual([`${entry('del')} <- ${entry('replace')}`]);
    expect(() => plan(at({}), up({ alsoMac: both.alsoMac }))).toThrow("interface 'pv001-a': alsoMac needs alsoFrom");
  });

  it('planOperations accepts packets of a tunnel first and stops accepting them last, where the node can filter', () => {
    const up: OperationInput = {
      op: 'tunnel_up',
      kind: 'vxlan',
      interface: 'pv001-b',
      mac,
      mtu: 1400,
      vni: 4098,
      remote: '192.0.2.8',
      port: 4790,
    };
    const down: OperationInput = { op: 'tunnel_down', interface: 'pv001-a' };
    const known = state(stack([link('pv001-a', { up: false })]));
    const steps = (filter: KernelState['filter']) =>
      lines(plan({ ...known, ...(filter === undefined ? {} : { filter }) }, up, down).commands);
    expect(steps(undefined).filter((line) => line.includes('nft'))).toEqual([]);

    const table = 'inet pl-vnm-pv001-tunnels';
    const remotes = new Map([['4790 . 4097', new Set(['192.0.2.9'])]]);
    const rest = { watched: new Set<string>(), heard: new Map() };
    const filtered = steps({ table: 'complete', remotes, ...rest });
    const words = (action: string, tunnel: string, remote: string) =>
      `nft ${action} element ${table} tunnels { ${tunnel} } | ${action} element ${table} remotes { ${tunnel} . ${remote} }`;
    const added = (action: string) => words(action, '4790 . 4098', '192.0.2.8');
    const removed = (action: string) => words(action, '4790 . 4097', '192.0.2.9');
    expect(filtered[0]).toBe(`${added('add')} <- ${added('delete')}`);
    expect(filtered.at(-1)).toBe(`${removed('delete')} <- ${removed('add')}`);
    expect(filtered.slice(1, -1)).toEqual(steps(undefined));

    // One transaction for what existed and what is new, whatever the table was.
    expect(steps({ table: 'none', remotes: new Map(), ...rest })[0]).toMatch(
      new RegExp(`^nft add table ${table} \\| .* \\{ 4790 \\. 4098 \\} .* <- nft delete table ${table}$`),
    );
    expect(steps({ table: 'damaged', remotes, ...rest })[0]).toMatch(
      `nft delete table ${table} | add table ${table} | `,
    );
    const only = plan({ ...known, filter: { table: 'complete', remotes, ...rest } }, down).commands;
    expect(lines(only).at(-1)).toMatch(`nft delete table ${table} <- nft add table ${table} | `);
  });

  it('planOperations writes only the settings that are not as wanted', () => {
    const settings: [string, string][] = [
      ...quietInterface({ name: 'pv001-a', mtu: 1400 }),
      ['ipv4/conf/pv001-a/forwarding', '1'],
      ['ipv4/conf/pv001-a/rp_filter', '0'],
    ];
    const known = link('pv001-a', {
      addresses: [{ address: '10.65.0.1', length: 32, bare: true }],
      neighbours: [{ address: '10.65.0.2', mac }],
    });
    const { commands } = plan(state(stack([known], [], settings)), {
      op: 'vif_up',
      interface: 'pv001-a',
      address: '10.65.0.1',
      peer: { address: '10.65.0.2', mac },
      urpf: 'loose',
    });
    expect(lines(commands)).toEqual([
      'ipv4/conf/pv001-a/rp_filter=2 <- ipv4/conf/pv001-a/rp_filter=0',
      'route add 10.65.0.2/32 table 50001 proto 245 dev pv001-a <- route del 10.65.0.2/32 table 50001 proto 245 dev pv001-a',
    ]);
  });

  it('planOperations plans ten thousand routes, and finds them all the second time', () => {
    const before = state(stack([link('pv001-a')]));
    const routes = Array.from({ length: 10_000 }, (_, index) => ({
      op: 'vroute' as const,
      action: 'add' as const,
      prefix: `10.65.${index >> 8}.${index & 255}/32`,
      nexthops: [{ interface: 'pv001-a', via: '10.65.0.2' }],
    }));
    const first = plan(before, ...routes);
    expect(first.commands).toHaveLength(10_000);
    expect(plan(first.state, ...routes).commands).toHaveLength(0);
  });
});
