/** Tests that packets go the ways that were applied, and that armed actions change them at their instant. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { UrpfMode } from '../../src/model/route.ts';
import type { Armable } from '../../src/vsys/armable.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { here, joined, members, theGroup, there, wayMtus } from './networks.ts';
import { apply, inventoryOf, type NetworkUnderTest, type NodeUnderTest, type PlaneUnderTest } from './under-test.ts';

const patience = { timeout: 60_000, interval: 50 };
/** Long enough to be armed in time on a busy machine. */
const leadMs = 4000;
const hourMs = 3_600_000;

export function packets(plane: PlaneUnderTest): void {
  let network: NetworkUnderTest;
  let a: NodeUnderTest;
  let b: NodeUnderTest;
  let streams = 0;
  let armed = 0;
  beforeAll(async () => {
    network = await plane.start(2);
    [a, b] = network.nodes as [NodeUnderTest, NodeUnderTest];
    const { onA, onB } = joined(a, b);
    await apply(a, ...onA);
    await apply(b, ...onB);
  });
  afterAll(() => network.end());

  const routerOf = (way: number) => `${a.policy.namespacePrefix}r${way}`;

  /** Returns the largest size from a to b, which shows the way that packets go. */
  async function sizeToB(): Promise<number | null> {
    const probes = [{ from: here, to: there }];
    const { sizes } = await a.call('packet_sizes', { probes, smallest: 600, largest: 1400, timeoutMs: 3000 });
    return sizes[0]!;
  }

  async function reaches(...to: string[]): Promise<boolean[]> {
    return (await a.call('reach', { from: here, to, timeoutMs: 3000 })).answered;
  }

  async function activeAtA(): Promise<number | undefined> {
    return (await inventoryOf(a)).nexthops.find(({ id }) => id === theGroup)!.active;
  }

  const redirect = (active: number) => a.call('redirect', { groups: [{ id: theGroup, active }] });

  /** Opens a stream from a that b receives; packets are sent until there are as many. */
  async function openStream() {
    streams += 1;
    const stream = `s${streams}`;
    const { port } = await b.call('stream_open', { stream, address: there, sender: here });
    return {
      send: (count: number, rateBps = 400_000) =>
        a.call('stream_send', { stream, from: here, to: there, port, payloadBytes: 100, rateBps, count }),
      sent: async () => (await a.call('stream_report', { stream })).sent,
      received: async () => (await b.call('stream_report', { stream })).received,
      async close() {
        await a.call('stream_report', { stream, close: true });
        return b.call('stream_report', { stream, close: true });
      },
    };
  }

  async function arm(node: NodeUnderTest, action: Armable, inMs = leadMs): Promise<{ id: string; at: number }> {
    armed += 1;
    const id = `armed-${armed}`;
    await node.call('arm', { id, at: (await nowAt(node)) + hourMs, actions: [action], dryRun: true });
    const at = (await nowAt(node)) + inMs;
    await node.call('arm', { id, at, actions: [action] });
    return { id, at };
  }

  const nowAt = async ({ call }: NodeUnderTest) => (await call('clock', {})).sentAt;
  const resultsOf = (node: NodeUnderTest, id: string, forget = false) => node.call('armed_results', { id, forget });

  async function fire(node: NodeUnderTest, action: Armable): Promise<void> {
    const { id, at } = await arm(node, action);
    expect((await resultsOf(node, id)).state).toBe('armed');
    await network.pass(Math.max(0, at - (await nowAt(node))));
    await expect.poll(async () => (await resultsOf(node, id)).state, patience).not.toBe('armed');
    const { state, actions } = await resultsOf(node, id, true);
    expect(state).toBe('fired');
    expect(actions[0]!.plannedAt).toBeCloseTo(at, 1);
    expect(actions[0]!.startedAt).toBeGreaterThanOrEqual(actions[0]!.plannedAt);
    await expect(resultsOf(node, id)).rejects.toMatchObject({ code: 'not-found' });
  }

  it('path_mtu returns what the path between nodes carries', async () => {
    expect(await a.call('path_mtu', { remotes: [b.address] })).toEqual({ mtus: [1500] });
  });

  it('packets get to routers and to the other node, and are answered', async () => {
    const unowned = '10.65.20.9';
    expect(await reaches('10.65.1.2', '10.65.2.2', there, unowned)).toEqual([true, true, true, false]);
    await expect(a.call('reach', { from: '10.65.99.1', to: [there], timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'not-found',
      message: '10.65.99.1 is not an address of this node',
    });
  });

  it('packet_sizes finds the size that every link on the path carries', async () => {
    expect(await sizeToB()).toBe(wayMtus[0]);
    const probes = [1, 0].map((way) => ({ namespace: routerOf(way), from: `10.65.${3 + way}.1`, to: there }));
    const range = { smallest: 600, largest: 1500, timeoutMs: 3000 };
    const { sizes } = await a.call('packet_sizes', { probes: [...probes, { from: here, to: '10.65.20.9' }], ...range });
    // Answers return by b's active member.
    expect(sizes).toEqual([wayMtus[1], wayMtus[0], null]);
  });

  it('all packets of a stream arrive, and are counted', async () => {
    const stream = await openStream();
    await stream.send(200);
    await expect.poll(stream.received, patience).toBe(200);
    expect(await stream.sent()).toBe(200);
    expect(await stream.close()).toMatchObject({ received: 200, duplicated: 0, dropped: 0 });
    const wrong = { stream: 'wrong', address: '10.65.99.1' };
    await expect(b.call('stream_open', wrong)).rejects.toMatchObject({
      code: 'not-found',
      message: '10.65.99.1 is not an address of this node',
    });
  });

  it('the counters of interfaces show which way packets took', async () => {
    // The plane in memory counts nothing.
    if (plane.kind === 'memory') return;
    const received = async () => {
      const { interfaces } = await b.call('counters', {});
      return [0, 1].map((way) => interfaces.find(({ name }) => name === `pv001-t${way}`)!.receivedPackets);
    };
    const before = await received();
    const stream = await openStream();
    await stream.send(50);
    await expect.poll(stream.received, patience).toBe(50);
    const [first, second] = await received();
    expect(first! - before[0]!).toBeGreaterThanOrEqual(50);
    expect(second! - before[1]!).toBeLessThan(50);
    await stream.close();
  });

  it('packets follow a redirection, and none is lost', async () => {
    const stream = await openStream();
    await stream.send(400);
    const before = await nowAt(a);
    const { startedAt, finishedAt } = await redirect(members[1]);
    expect(startedAt).toBeGreaterThanOrEqual(before);
    expect(finishedAt).toBeGreaterThanOrEqual(startedAt);
    expect(await activeAtA()).toBe(members[1]);
    expect(await sizeToB()).toBe(wayMtus[1]);
    await redirect(members[0]);
    expect(await activeAtA()).toBe(members[0]);
    expect(await sizeToB()).toBe(wayMtus[0]);
    await expect.poll(stream.received, patience).toBe(400);
    await stream.close();
  });

  it('packets stay on their way when a redirection is refused', async () => {
    const before = await inventoryOf(a);
    const done = { id: theGroup, active: members[1] };
    const cases = [
      [{ id: theGroup, active: 65_999 }, 'not-found', 'there is no nexthop 65999'],
      [{ id: 65_999, active: members[0] }, 'not-found', 'there is no nexthop 65999'],
      [{ id: members[0], active: members[1] }, 'conflict', `nexthop ${members[0]} is not a group`],
      [{ id: theGroup, active: theGroup }, 'conflict', `nexthop ${theGroup} is a group`],
    ] as const;
    for (const [bad, code, message] of cases) {
      await expect(a.call('redirect', { groups: [done, bad] })).rejects.toMatchObject({ code, message });
      const action: Armable = { kind: 'redirect', offsetMs: 0, groups: [done, bad] };
      await expect(arm(a, action)).rejects.toMatchObject({ code, message });
    }
    const gate: Armable = { kind: 'gate_close', offsetMs: 0, interface: 'pv001-g0' };
    await expect(arm(a, gate)).rejects.toMatchObject({ code: 'not-found', hint: 'create it with gate_up' });
    expect(await inventoryOf(a)).toEqual(before);
  });

  it('packets follow an armed redirection at its instant', async () => {
    expect(await activeAtA()).toBe(members[0]);
    await fire(a, { kind: 'redirect', offsetMs: 0, groups: [{ id: theGroup, active: members[1] }] });
    expect(await activeAtA()).toBe(members[1]);
    expect(await sizeToB()).toBe(wayMtus[1]);
    await redirect(members[0]);
  });

  it('packets do not follow a cancelled or late redirection, and nothing can change what it needs until then', async () => {
    const action: Armable = { kind: 'redirect', offsetMs: 0, groups: [{ id: theGroup, active: members[1] }] };
    const { id, at } = await arm(a, action, hourMs);
    await expect(a.call('arm', { id, at, actions: [action] })).rejects.toMatchObject({
      code: 'conflict',
      message: `'${id}' is or was armed already`,
    });
    const alone = { op: 'group_up' as const, id: theGroup, members: [members[0]], active: members[0], resilient: true };
    await expect(apply(a, alone)).rejects.toMatchObject({
      code: 'conflict',
      message: `an armed redirection needs nexthop ${theGroup} unchanged`,
    });
    await expect(a.call('shutdown', {})).rejects.toMatchObject({ code: 'conflict' });
    expect(await a.call('cancel', { id })).toEqual({ result: 'cancelled' });
    expect((await resultsOf(a, id, true)).state).toBe('cancelled');
    await expect(arm(a, action, -1000)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/is armed too late: its instant was/),
    });
    expect(await activeAtA()).toBe(members[0]);
  });

  it('packets wait at a closed gate, and all continue when it opens', async () => {
    const name = { interface: 'pv001-t0' };
    expect(await apply(b, { op: 'gate_up', ...name, limitBytes: 1_000_000 })).toEqual(['changed']);
    await fire(b, { kind: 'gate_close', offsetMs: 0, ...name });
    const gateAt = async () => (await inventoryOf(b)).interfaces.flatMap(({ gate }) => gate ?? []);
    expect(await gateAt()).toEqual([{ ...name, closed: true }]);
    const stream = await openStream();
    await stream.send(50);
    await expect.poll(stream.sent, patience).toBe(50);
    await sleep(200);
    expect(await stream.received()).toBe(0);
    await fire(b, { kind: 'gate_open', offsetMs: 0, ...name });
    await expect.poll(stream.received, patience).toBe(50);
    await fire(b, { kind: 'gate_close', offsetMs: 0, ...name });
    await stream.close();
    const other = await openStream();
    await other.send(50);
    await expect.poll(other.sent, patience).toBe(50);
    expect(await apply(b, { op: 'gate_down', ...name })).toEqual(['changed']);
    await expect.poll(other.received, patience).toBe(50);
    await other.close();
    expect(await gateAt()).toEqual([]);
  });

  it('packets pass the reverse-path check from every member of a group, and otherwise as the interface says', async () => {
    const group = { op: 'group_up' as const, id: theGroup, active: members[0], resilient: true };
    const { atB } = joined(a, b);
    const checked = (urpf: UrpfMode): OperationInput => {
      return { op: 'vif_up', interface: 'pv001-t1', ...atB[1]!, urpf };
    };
    await redirect(members[1]);
    expect(await reaches(there)).toEqual([true]);
    await apply(b, { ...group, members: [members[0]] });
    expect(await reaches(there)).toEqual([false]);
    await apply(b, checked('loose'));
    expect(await reaches(there)).toEqual([true]);
    await apply(b, checked('strict'), { ...group, members });
    expect(await reaches(there)).toEqual([true]);
    await redirect(members[0]);
  });

  it('watches report what answers, and what no longer does', async () => {
    const answering = await b.call('watch', { id: 'w', from: there, intervalMs: 200, timeoutMs: 150, targets: [] });
    const targets = [
      { name: 'router', to: '10.65.1.2' },
      { name: 'node', to: there, port: answering.port },
    ];
    await a.call('watch', { id: 'w', from: here, intervalMs: 200, timeoutMs: 150, targets });
    const seen = async () => (await a.call('watch_report', {})).watches[0]!.targets;
    await expect
      .poll(seen, patience)
      .toMatchObject(targets.map(({ name }) => ({ name, answered: expect.toSatisfy((count) => count > 2) })));
    const route = { op: 'vroute' as const, namespace: routerOf(0), prefix: '10.65.20.0/24' };
    await apply(a, { ...route, action: 'delete' });
    await expect.poll(async () => (await seen())[1]!.missedInRow, patience).toBeGreaterThan(2);
    expect(await reaches('10.65.1.2', there)).toEqual([true, false]);
    await apply(a, { ...route, action: 'add', nexthops: [{ interface: 'pv001-t0', via: '10.65.3.2' }] });
    await expect.poll(async () => (await seen())[1]!.answeredInRow, patience).toBeGreaterThan(2);
    await a.call('watch_stop', { id: 'w' });
    await b.call('watch_stop', { id: 'w' });
    expect(await a.call('watch_report', {})).toEqual({ watches: [] });
  });

  it('packets get nowhere when their tunnel is gone, or a route of another kind applies', async () => {
    const { onA } = joined(a, b);
    await apply(a, { op: 'vroute', action: 'add', prefix: `${there}/32`, type: 'blackhole' });
    expect(await reaches(there)).toEqual([false]);
    await apply(a, { op: 'vroute', action: 'delete', prefix: `${there}/32` });
    expect(await reaches(there)).toEqual([true]);
    await apply(a, { op: 'tunnel_down', interface: 'pv001-t0', namespace: routerOf(0) });
    expect(await reaches(there)).toEqual([false]);
    await apply(a, ...onA);
    expect(await reaches(there)).toEqual([true]);
  });
}
