import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { connectedUdp, countUdp, sendUdp } from '../support/udp.ts';

const patience = { timeout: 20_000 };

const mac = (last: number) => `02:50:0a:41:00:${last.toString(16).padStart(2, '0')}`;
const [first, second, group] = [65_536, 65_537, 65_540];
/** The address behind both routers, each of which has it. */
const beyond = '10.65.200.1';
const here = '10.65.0.1';
const port = 4000;

/** A gateway with a tunnel to a router in another namespace. */
function instance(router: string, index: number): OperationInput[] {
  const [own, other] = [`10.65.${index}.1`, `10.65.${index}.2`];
  const peer = { interface: `pv001-r${index}`, namespace: router, mac: mac(index + 100) };
  const gateway = { interface: `pv001-g${index}` };
  return [
    { op: 'netns_up', namespace: router, urpf: 'strict' },
    { op: 'tunnel_up', kind: 'local', ...gateway, mac: mac(index), mtu: 1400, peer },
    { op: 'vif_up', ...gateway, address: own, peer: { address: other, mac: peer.mac }, urpf: 'strict' },
    {
      op: 'vif_up',
      interface: peer.interface,
      namespace: router,
      address: other,
      peer: { address: own, mac: mac(index) },
    },
    { op: 'nexthop_up', id: first + index, via: other, ...gateway },
  ];
}

describeAsRoot('redirect', () => {
  let node: AgentNode;
  let routers: string[];
  beforeAll(async () => {
    node = await startAgentNode();
    routers = [node.router('a'), node.router('b')];
    await node.apply([{ op: 'rule_up' }, ...routers.flatMap(instance)]);
    await node.apply([
      // The second router, too, gets packets from the first tunnel's address.
      {
        op: 'vroute',
        action: 'add',
        namespace: routers[1]!,
        prefix: `${here}/32`,
        nexthops: [{ interface: 'pv001-r1', via: '10.65.1.1' }],
      },
    ]);
    for (const router of routers) node.ip(`address add ${beyond}/32 dev lo`, router);
  });
  afterAll(() => node.remove());

  const members = [first, second];

  /** Installs the group of that kind, with a route over it. */
  async function useGroup(
    resilient: boolean,
    active: number,
    accepted = resilient ? members : [active],
  ): Promise<void> {
    await node.apply([
      { op: 'group_up', id: group, members: accepted, active, resilient },
      { op: 'vroute', action: 'add', prefix: `${beyond}/32`, nexthopId: group, source: here },
    ]);
  }

  async function active(): Promise<number> {
    const { nexthops } = await node.inventory();
    return nexthops.find(({ id }) => id === group)!.active!;
  }

  it.each([
    ['plain', false, [first]],
    ['resilient', true, members],
    ['resilient one-member', true, [first]],
  ])('redirect moves the traffic of a %s group back and forth without loss', async (_name, resilient, accepted) => {
    await useGroup(resilient, first, accepted);
    const counters = await Promise.all(routers.map((router) => countUdp(router, beyond, port)));
    let sending = true;
    const sent = sendUdp(node.namespace, here, beyond, port, 2000, 5).then(() => {
      sending = false;
    });
    for (let flip = 1; sending; flip += 1) {
      const target = members[flip % 2]!;
      const { startedAt, finishedAt } = await node
        .client()
        .call('redirect', { groups: [{ id: group, active: target }] });
      expect(finishedAt).toBeGreaterThan(startedAt);
      expect(await active()).toBe(target);
    }
    await sent;
    await sleep(50);
    const counts = await Promise.all(counters.map((counter) => counter.stop()));
    expect(counts[0]! + counts[1]!).toBe(2000);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  it.each([
    ['a plain group accepts packets from the active member only', false, [first], [20, 0]],
    ['a resilient group accepts packets from every member', true, members, [20, 20]],
    ['a resilient one-member group accepts packets from that member', true, [first], [20, 0]],
  ])('%s', async (_name, resilient, accepted, expected) => {
    await useGroup(resilient, first, accepted);
    for (const [index, router] of routers.entries()) {
      const counter = await countUdp(node.namespace, here, port);
      await sendUdp(router, beyond, here, port, 20, 20);
      await sleep(50);
      expect(await counter.stop()).toBe(expected[index]);
    }
  });

  it('a connected socket of the gateway itself follows a redirection', async () => {
    await useGroup(true, first);
    const counters = await Promise.all(routers.map((router) => countUdp(router, beyond, port)));
    const socket = await connectedUdp(node.namespace, here, beyond, port);
    for (const target of [second, first, second]) {
      await socket.send();
      await node.client().call('redirect', { groups: [{ id: group, active: target }] });
    }
    await socket.send();
    await sleep(50);
    expect(await Promise.all(counters.map((counter) => counter.stop()))).toEqual([2, 2]);
    await socket.close();
  });

  it('group_up changes the kind of a group that is in use without loss', async () => {
    await useGroup(false, first);
    const counters = await Promise.all(routers.map((router) => countUdp(router, beyond, port)));
    let sending = true;
    const sent = sendUdp(node.namespace, here, beyond, port, 2000, 5).then(() => {
      sending = false;
    });
    for (let flip = 1; sending; flip += 1) await useGroup(flip % 2 === 1, members[Math.floor(flip / 2) % 2]!);
    await sent;
    await sleep(50);
    const counts = await Promise.all(counters.map((counter) => counter.stop()));
    expect(counts[0]! + counts[1]!).toBe(2000);
  });

  it('redirect makes a nexthop that is not a member the only one, so that strict stays strict', async () => {
    await useGroup(true, first, [first]);
    await node.client().call('redirect', { groups: [{ id: group, active: second }] });
    const { nexthops } = await node.inventory();
    expect(nexthops.find(({ id }) => id === group)).toEqual({
      id: group,
      group: [second],
      active: second,
      resilient: true,
    });
  });

  it('redirect changes many groups at once', async () => {
    const ids = Array.from({ length: 50 }, (_, index) => group + 100 + index);
    await node.apply(ids.map((id) => ({ op: 'group_up', id, members, active: first, resilient: true })));
    await node.client().call('redirect', { groups: ids.map((id) => ({ id, active: second })) });
    const { nexthops } = await node.inventory();
    const found = nexthops.filter(({ id }) => ids.includes(id));
    expect(found).toEqual(ids.map((id) => ({ id, group: members, active: second, resilient: true })));
    await node.apply(ids.map((id) => ({ op: 'group_down', id })));
  });

  it('redirect refuses what it cannot do before it changes anything', async () => {
    await useGroup(true, first);
    await node.apply([{ op: 'group_up', id: group + 1, members: [first], active: first, resilient: false }]);
    const before = await node.inventory();
    const done = { id: group, active: second };
    const cases = [
      [{ id: group, active: 65_999 }, 'not-found', 'there is no nexthop 65999'],
      [{ id: 65_999, active: first }, 'not-found', 'there is no nexthop 65999'],
      [{ id: first, active: second }, 'conflict', 'nexthop 65536 is not a group'],
      [{ id: group, active: group + 1 }, 'conflict', 'nexthop 65541 is a group'],
    ] as const;
    for (const [bad, code, message] of cases) {
      await expect(node.client().call('redirect', { groups: [done, bad] })).rejects.toMatchObject({ code, message });
    }
    expect(await node.inventory()).toEqual(before);
  });

  it('redirect works again after its waiting process was killed', async () => {
    await useGroup(true, first);
    const killed = waitingIp();
    expect(killed).toHaveLength(1);
    process.kill(killed[0]!, 'SIGKILL');
    await expect.poll(waitingIp, patience).toEqual([]);
    await node.client().call('redirect', { groups: [{ id: group, active: second }] });
    expect(await active()).toBe(second);
  });

  it('redirect leads over a recreated interface that reuses an earlier name', async () => {
    await useGroup(true, first);
    await node.client().call('redirect', { groups: [{ id: group, active: second }] });
    await useGroup(true, first, [first]);
    await node.apply([
      { op: 'group_down', id: group + 1 },
      { op: 'nexthop_down', id: second },
    ]);
    await node.apply([{ op: 'tunnel_down', interface: 'pv001-g1' }, ...instance(routers[1]!, 1)]);
    await useGroup(true, first);
    await node.client().call('redirect', { groups: [{ id: group, active: second }] });
    expect(await active()).toBe(second);
  });

  /** Returns the waiting `ip` processes of this test's agent. */
  function waitingIp(): number[] {
    const command = (pid: string) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    };
    const agent = node.ip(`netns pids ${node.namespace}`).split('\n');
    return agent.filter((pid) => command(pid) === 'ip\0-json\0-batch\0-\0').map(Number);
  }
});
