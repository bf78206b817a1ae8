/** Tests that a failed batch leaves everything as it was, whatever came before the failure. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { VnmError } from '../../src/model/errors.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const mac = (last: number) => `02:50:0a:41:00:${last.toString(16).padStart(2, '0')}`;

const remote = { vni: 4097, remote: '192.0.2.9', port: 4790, mtu: 1400 };

/** A batch for a gateway with two instances; the router of one instance is here. */
function everything(router: string): OperationInput[] {
  const local = { interface: 'pv001-r', namespace: router, mac: mac(2) };
  return [
    { op: 'rule_up' },
    { op: 'netns_up', namespace: router, urpf: 'strict' },
    { op: 'tunnel_up', kind: 'local', interface: 'pv001-g', mac: mac(1), mtu: 1400, peer: local },
    { op: 'tunnel_up', kind: 'vxlan', interface: 'pv001-v', mac: mac(3), ...remote, gateable: true },
    { op: 'tunnel_up', kind: 'vxlan', interface: 'pv001-w', namespace: router, mac: mac(5), ...remote, vni: 4098 },
    vif('pv001-g', '10.65.0.1', '10.65.0.2', mac(2)),
    vif('pv001-r', '10.65.0.2', '10.65.0.1', mac(1), router),
    vif('pv001-v', '10.65.0.3', '10.65.0.4', mac(4)),
    vif('pv001-w', '10.65.0.5', '10.65.0.6', mac(6), router),
    { op: 'gate_up', interface: 'pv001-g', limitBytes: 8_000_000 },
    { op: 'nexthop_up', id: 65_536, via: '10.65.0.2', interface: 'pv001-g' },
    { op: 'nexthop_up', id: 65_537, via: '10.65.0.4', interface: 'pv001-v' },
    { op: 'group_up', id: 65_540, members: [65_536, 65_537], active: 65_536, resilient: true },
    { op: 'group_up', id: 65_541, members: [65_537], active: 65_537, resilient: false },
    route('10.65.9.0/24', { nexthopId: 65_540 }),
    route('10.65.10.0/24', { nexthopId: 65_541, source: '10.65.0.3' }),
    route('10.65.11.0/24', { nexthops: [{ interface: 'pv001-g', via: '10.65.0.2' }], metric: 5 }),
    route('10.65.9.0/24', { namespace: router, nexthops: [{ interface: 'pv001-r', via: '10.65.0.1' }] }),
    route('10.65.12.0/24', {
      namespace: router,
      nexthops: [{ interface: 'pv001-r', via: '10.65.0.1' }, { interface: 'pv001-w' }],
    }),
    route('10.65.13.0/24', { namespace: router, type: 'prohibit' }),
  ];
}

function vif(name: string, address: string, peer: string, peerMac: string, namespace?: string): OperationInput {
  const place = namespace === undefined ? { urpf: 'feasible' as const } : { namespace };
  return { op: 'vif_up', interface: name, ...place, address, peer: { address: peer, mac: peerMac } };
}

function route(prefix: string, more: object): OperationInput {
  return { op: 'vroute', action: 'add', prefix, ...more };
}

/** Operations that change or remove some of it, with other things or alone. */
function changes(router: string): OperationInput[] {
  return [
    ...everything(router),
    { op: 'netns_up', namespace: router, urpf: 'loose' },
    { op: 'netns_up', namespace: `${router}2`, urpf: 'strict' },
    { op: 'netns_down', namespace: router },
    { op: 'netns_down', namespace: router },
    { op: 'netns_down', namespace: `${router}2` },
    { op: 'tunnel_down', interface: 'pv001-g' },
    { op: 'tunnel_down', interface: 'pv001-v' },
    { op: 'tunnel_down', interface: 'pv001-r', namespace: router },
    { op: 'tunnel_down', interface: 'pv001-w', namespace: router },
    { op: 'vif_down', interface: 'pv001-g', address: '10.65.0.1' },
    { op: 'vif_down', interface: 'pv001-w', namespace: router, address: '10.65.0.5' },
    { op: 'tunnel_up', kind: 'vxlan', interface: 'pv001-v', mac: mac(3), ...remote, mtu: 1200, gateable: true },
    { op: 'tunnel_up', kind: 'vxlan', interface: 'pv001-u', mac: mac(7), ...remote, vni: 4099, gateable: true },
    { op: 'gate_up', interface: 'pv001-g', limitBytes: 9_000_000 },
    { op: 'gate_up', interface: 'pv001-v', limitBytes: 8_000_000 },
    { op: 'gate_down', interface: 'pv001-g' },
    { op: 'nexthop_down', id: 65_536 },
    { op: 'nexthop_down', id: 65_537 },
    { op: 'group_down', id: 65_540 },
    { op: 'group_down', id: 65_541 },
    { op: 'group_up', id: 65_540, members: [65_536, 65_537], active: 65_537, resilient: true },
    { op: 'group_up', id: 65_540, members: [65_537], active: 65_537, resilient: false },
    { op: 'group_up', id: 65_541, members: [65_537], active: 65_537, resilient: true },
    route('10.65.9.0/24', { type: 'blackhole' }),
    route('10.65.11.0/24', { nexthopId: 65_540, metric: 5 }),
    { op: 'vroute', action: 'delete', prefix: '10.65.9.0/24' },
    { op: 'vroute', action: 'delete', prefix: '10.65.10.0/24' },
    { op: 'vroute', action: 'delete', prefix: '10.65.11.0/24', metric: 5 },
    { op: 'vroute', action: 'delete', prefix: '10.65.9.0/24', namespace: router },
    { op: 'vroute', action: 'delete', prefix: '10.65.13.0/24', namespace: router },
    { op: 'rule_down' },
  ];
}

describeAsRoot('a failing batch', () => {
  let node: AgentNode;
  let router: string;
  beforeAll(async () => {
    node = await startAgentNode();
    router = node.router('a');
  });
  afterAll(() => node.remove());

  /** Operations that fail late: only the kernel knows that a nexthop needs an interface that is up. */
  const failing: OperationInput[] = [
    {
      op: 'tunnel_up',
      kind: 'vxlan',
      interface: 'pv001-z',
      mac: mac(99),
      mtu: 1400,
      vni: 5000,
      remote: '192.0.2.9',
      port: 4790,
    },
    { op: 'nexthop_up', id: 65_999, via: '10.65.0.99', interface: 'pv001-z' },
  ];
  const itsError = 'ip nexthop add id 65999 via 10.65.0.99 dev pv001-z onlink: Nexthop device is not up';

  /** Returns everything that exists, as `ip` and the agent show it, except for numbers that the kernel chooses. */
  async function snapshot(): Promise<unknown> {
    const inventory = await node.inventory();
    const stacks = [node.namespace, ...inventory.namespaces].map((namespace) => [
      // In the kernel's own order: it uses the first of several that match.
      plainLines(node.ip('-4 -details route show table all', namespace)),
      ...['address show', 'neighbour show', 'rule show', 'nexthop show', 'link show'].map((words) =>
        plainLines(node.ip(`-4 -details ${words}`, namespace)).sort(),
      ),
    ]);
    const own = inventory.interfaces.filter(({ namespace }) => namespace === undefined);
    const filters = own.map(({ name }) => tc(`filter show dev ${name} ingress`));
    const gates = [tc('qdisc show').sort(), filters];
    return { inventory, stacks, gates, settings: settings(inventory.namespaces), packetFilter: packetFilter() };
  }

  /** Runs `tc` in the node's own stack. */
  function tc(words: string): string[] {
    const text = execFileSync('tc', ['-n', node.namespace, ...words.split(' ')], { encoding: 'utf8' });
    return text.split('\n').map((line) => line.replace(/index \d+/, ''));
  }

  /** Returns the packet filter, whose sets have their elements in no certain order. */
  function packetFilter(): string[] {
    const inside = [`--net=/run/netns/${node.namespace}`, 'nft', 'list', 'ruleset'];
    const text = execFileSync('nsenter', inside, { encoding: 'utf8' });
    return text.split('\n').map((line) =>
      line
        .split(/[{},]/)
        .map((part) => part.trim())
        .sort()
        .join(' '),
    );
  }

  /** Removes indices of interfaces, and the ages of entries. */
  function plainLines(text: string): string[] {
    return text.split('\n').map((line) =>
      line
        .trim()
        .replace(/^\d+: /, '')
        .replace(/@\w+:/, ':')
        .replace(/link-netns(id)? \S+ ?/, '')
        .replace(/unbalanced_time \S+/, ''),
    );
  }

  function settings(namespaces: readonly string[]): string[] {
    const files = ['conf/all/rp_filter', 'ip_forward', 'nexthop_compat_mode'].map(
      (file) => `/proc/sys/net/ipv4/${file}`,
    );
    const read = (namespace: string, paths: readonly string[]) =>
      execFileSync('nsenter', [`--net=/run/netns/${namespace}`, 'grep', '-rs', '', ...paths], { encoding: 'utf8' });
    const ipv6 = ['disable_ipv6', 'accept_ra', 'addr_gen_mode'].map((file) => `--include=${file}`);
    const own = [
      ...read(node.namespace, ['/proc/sys/net/ipv4/conf']).split('\n'),
      ...read(node.namespace, [...ipv6, '/proc/sys/net/ipv6/conf']).split('\n'),
    ];
    return [
      ...own.filter((line) => /conf\/pv001-.*\/\w+:/.test(line)).sort(),
      ...namespaces.map((namespace) => read(namespace, files)),
    ];
  }

  async function failureOf(batch: readonly OperationInput[]): Promise<VnmError> {
    return node.apply(batch).then(
      () => expect.unreachable('the batch did not fail'),
      (error) => error,
    );
  }

  /** Applies what is possible, to reach some state. */
  async function wander(operations: readonly OperationInput[]): Promise<void> {
    for (const operation of operations) await node.apply([operation]).catch(() => {});
  }

  it('a failing batch undoes a whole set-up', async () => {
    const before = await snapshot();
    const error = await failureOf([...everything(router), ...failing]);
    expect(error).toMatchObject({ code: 'failed', message: itsError, hint: 'nothing was changed' });
    expect(await snapshot()).toEqual(before);
  });

  it('a failing batch undoes the removal of everything, including what was added by hand', async () => {
    await node.apply(everything(router));
    node.ip('route add 10.65.77.0/24 via 10.65.0.1 src 10.65.0.2', router);
    node.ip('route append 10.65.77.0/24 dev pv001-w', router);
    node.ip('route add 10.65.78.0/24 dev pv001-w table 77', router);
    node.ip('address add 10.65.40.1/24 broadcast 10.65.40.255 dev pv001-w', router);
    node.ip('address add 10.65.41.1/32 dev lo', router);
    node.ip('neighbour add 10.65.40.9 lladdr 02:00:00:00:00:09 dev pv001-w nud permanent', router);
    const before = await snapshot();
    const downs: OperationInput[] = [
      { op: 'vroute', action: 'delete', prefix: '10.65.9.0/24' },
      { op: 'vroute', action: 'delete', prefix: '10.65.10.0/24' },
      { op: 'group_down', id: 65_540 },
      { op: 'group_down', id: 65_541 },
      { op: 'rule_down' },
      { op: 'tunnel_down', interface: 'pv001-v' },
      { op: 'netns_down', namespace: router },
    ];
    expect(await failureOf([...downs, ...failing])).toMatchObject({ message: itsError, hint: 'nothing was changed' });
    expect(await snapshot()).toEqual(before);
    await node.apply(downs);
    expect(await node.inventory()).toEqual({ namespaces: [], interfaces: [], routes: [], nexthops: [], rules: false });
  });

  it('a failing batch leaves no trace, whatever it consists of', async () => {
    const some = fc.array(fc.constantFrom(...changes(router)), { maxLength: 8 });
    const start = fc.constantFrom<OperationInput[][]>([], everything(router));
    let reachedTheKernel = 0;
    await fc.assert(
      fc.asyncProperty(start, some, some, async (base, wandering, batch) => {
        await wander([...base, ...wandering]);
        const before = await snapshot();
        const error = await failureOf([...batch, ...failing]);
        expect(await snapshot()).toEqual(before);
        if (error.message === itsError) reachedTheKernel += 1;
        // Any other failure occurs in planning, before anything is done, or because there is no route to a gateway.
        else if (error.code === 'failed') expect(error.hint).toBe('nothing was changed');
        else expect(error).toMatchObject({ code: expect.stringMatching(/^(conflict|not-found)$/) });
      }),
      { numRuns: 20 },
    );
    expect(reachedTheKernel).toBeGreaterThan(5);
  });
});
