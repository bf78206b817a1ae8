/** Instants by a wall clock that is set while they are armed, and armed redirections of a real agent on the kernel. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createArmed } from '../../src/agent/armed/armed.ts';
import { type ArmedContext, createArmedRequests } from '../../src/agent/armed-requests.ts';
import type { DataPlane } from '../../src/agent/dataplane/dataplane.ts';
import { type Clock, systemClock } from '../../src/clock/clock.ts';
import type { Armable } from '../../src/vsys/armable.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { startKernelTiming } from '../support/kernel-timing.ts';
import { describeAsRoot } from '../support/privileges.ts';

const patience = { timeout: 20_000 };
const soonMs = 500;
const hourMs = 3_600_000;

describe.runIf(process.platform === 'linux')('an instant by the wall clock', () => {
  const armed = createArmed<ArmedContext>(startKernelTiming, { armed: 4 });
  // The thread starts with the first use.
  beforeAll(async () => void (await armed.lag(1)));
  afterAll(() => armed.close());
  const dataPlane = {
    prepare: async (actions, take) =>
      take(
        actions.map(() => undefined),
        0,
      ),
  } satisfies Partial<DataPlane> as Partial<DataPlane> as DataPlane;

  it.each([
    ['forwards', hourMs],
    ['backwards', -hourMs],
  ])('an armed instant does not move when the clock is set %s', async (_name, stepMs) => {
    let setMs = 7 * hourMs;
    const clock: Clock = { monotonicMs: systemClock.monotonicMs, wallMs: () => systemClock.wallMs() + setMs };
    const requests = createArmedRequests(armed, dataPlane, clock);
    const before = clock.monotonicMs();
    const at = clock.wallMs() + soonMs;
    const id = `set-${stepMs > 0}`;
    await requests.arm({ id, at, actions: [{ kind: 'redirect', offsetMs: 3, groups: [{ id: 1, active: 2 }] }] });
    setMs += stepMs;
    await expect.poll(() => requests.results({ id, forget: false }).state, patience).toBe('fired');
    const { actions } = requests.results({ id, forget: true });
    expect(clock.monotonicMs() - before).toBeGreaterThanOrEqual(soonMs);
    expect(actions[0]!.plannedAt).toBeCloseTo(at + 3, 2);
    expect(actions[0]!.startedAt! - actions[0]!.plannedAt).toBeGreaterThanOrEqual(0);
    // By the clock as it was before.
    expect(actions[0]!.finishedAt! - actions[0]!.plannedAt).toBeLessThan(hourMs / 2);
  });

  it('nothing can be armed while the agent shuts down', async () => {
    const requests = createArmedRequests(armed, dataPlane, systemClock);
    const actions: Armable[] = [{ kind: 'redirect', offsetMs: 0, groups: [{ id: 1, active: 2 }] }];
    const params = { at: systemClock.wallMs() + hourMs, actions };
    await requests.arm({ id: 'first', ...params });
    expect(() => requests.shutdown()).toThrow("the agent cannot shut down: 'first' is armed");
    expect(await requests.cancel({ id: 'first' })).toEqual({ result: 'cancelled' });
    requests.shutdown();
    await expect(requests.arm({ id: 'second', ...params })).rejects.toMatchObject({
      code: 'conflict',
      message: "'second' cannot be armed: the agent is shutting down",
    });
  });
});

const mac = (last: number) => `02:50:0a:41:00:${last.toString(16).padStart(2, '0')}`;
const [first, second, third, group, other] = [65_536, 65_537, 65_538, 65_540, 65_541];

/** With the nexthop over it. */
function tunnel(index: number): OperationInput[] {
  const name = `pv001-g${index}`;
  const peer = { address: `10.65.${index}.2`, mac: mac(100 + index) };
  const ends = { vni: 5000 + index, remote: '192.0.2.9', port: 4790 };
  return [
    { op: 'tunnel_up', kind: 'vxlan', interface: name, mac: mac(index), mtu: 1400, ...ends },
    { op: 'vif_up', interface: name, address: `10.65.${index}.1`, peer },
    { op: 'nexthop_up', id: first + index - 1, via: peer.address, interface: name },
  ];
}

describeAsRoot('an armed redirection', () => {
  let node: AgentNode;
  const skewMs = 5 * hourMs;
  beforeAll(async () => {
    process.env.PL_VNM_CLOCK_SKEW_MS = String(skewMs);
    node = await startAgentNode({ armed: 3 });
    // The agent starts with the first request, its timing thread with the first use.
    await node.client().call('timer_lag', { samples: 1 });
    delete process.env.PL_VNM_CLOCK_SKEW_MS;
    await node.apply([
      ...[1, 2, 3].flatMap(tunnel),
      { op: 'group_up', id: group, members: [first, second], active: first, resilient: true },
      { op: 'group_up', id: other, members: [first], active: first, resilient: false },
    ]);
  });
  afterAll(() => node.remove());

  const call = () => node.client();

  /** Unix ms by the node's clock. */
  async function nowThere(): Promise<number> {
    const { sentAt } = await call().call('clock', {});
    return sentAt;
  }

  const redirect = (id: number, active: number, offsetMs = 0): Armable => {
    return { kind: 'redirect', offsetMs, groups: [{ id, active }] };
  };

  async function done(id: string) {
    await expect.poll(async () => (await call().call('armed_results', { id })).state, patience).not.toBe('armed');
    return call().call('armed_results', { id, forget: true });
  }

  async function active(id: number) {
    const { nexthops } = await node.inventory();
    return nexthops.find((nexthop) => nexthop.id === id)!.active;
  }

  it('an armed redirection is done at its instant by the clock of the node, which may be hours off', async () => {
    const at = (await nowThere()) + soonMs;
    expect(at - Date.now()).toBeGreaterThan(skewMs);
    await call().call('arm', { id: 'one', at, actions: [redirect(group, second), redirect(other, second, 20)] });
    expect(await active(group)).toBe(first);
    const { state, actions } = await done('one');
    expect(state).toBe('fired');
    expect(actions.map(({ plannedAt }) => Math.round(plannedAt - at))).toEqual([0, 20]);
    for (const { plannedAt, startedAt, finishedAt } of actions) {
      expect(startedAt).toBeGreaterThanOrEqual(plannedAt);
      expect(finishedAt).toBeGreaterThan(startedAt!);
    }
    expect(await active(group)).toBe(second);
    expect(await active(other)).toBe(second);
    await expect(call().call('armed_results', { id: 'one' })).rejects.toMatchObject({ code: 'not-found' });
  });

  /** Returns children of the agent's process that have ended, and whose exit status the agent has not collected. */
  async function endedChildren(): Promise<string[]> {
    const { pid } = (await call().call('hello', {})).agent;
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
    );
    return children.filter((child) => /^State:\tZ/m.test(readFileSync(`/proc/${child}/status`, 'utf8')));
  }

  it('an armed redirection leads over a recreated interface that reuses an earlier name', async () => {
    for (let round = 1; round <= 2; round += 1) {
      const at = (await nowThere()) + soonMs;
      await call().call('arm', { id: 'again', at, actions: [redirect(group, second), redirect(group, first, 10)] });
      expect((await done('again')).state).toBe('fired');
      expect(await endedChildren()).toEqual([]);
      const alone = { op: 'group_up' as const, id: group, active: first, resilient: true };
      await node.apply([
        { ...alone, members: [first] },
        { op: 'group_up', id: other, members: [first], active: first, resilient: false },
        { op: 'nexthop_down', id: second },
        { op: 'tunnel_down', interface: 'pv001-g2' },
        ...tunnel(2),
        { ...alone, members: [first, second] },
      ]);
    }
    await call().call('redirect', { groups: [{ id: group, active: second }] });
    expect(await active(group)).toBe(second);
  });

  it('an armed action closes a recreated gate that reuses an earlier name', async () => {
    const name = { interface: 'pv001-g3' };
    for (let round = 1; round <= 2; round += 1) {
      await node.apply([{ op: 'gate_up', ...name, limitBytes: 10_000 }]);
      const at = (await nowThere()) + soonMs;
      await call().call('arm', { id: 'gate', at, actions: [{ kind: 'gate_close', offsetMs: 0, ...name }] });
      expect(await done('gate')).toMatchObject({ state: 'fired' });
      expect((await node.inventory()).interfaces.map(({ gate }) => gate?.closed)).toContain(true);
      expect(await endedChildren()).toEqual([]);
      await node.apply([{ op: 'gate_down', ...name }]);
    }
  });

  it('an armed redirection is done even if no client is connected any more', async () => {
    const { client, ended } = node.attach();
    const { sentAt } = await client.call('clock', {});
    await client.call('arm', { id: 'alone', at: sentAt + soonMs, actions: [redirect(group, first)] });
    client.close();
    await ended;
    expect((await done('alone')).state).toBe('fired');
    expect(await active(group)).toBe(first);
  });

  it('an armed redirection leaves the agent free to answer, and can be cancelled', async () => {
    const before = await active(group);
    const at = (await nowThere()) + hourMs;
    await call().call('arm', { id: 'late', at, actions: [redirect(group, second)] });
    const { lagMs } = await call().call('timer_lag', { samples: 3 });
    expect(lagMs).toHaveLength(3);
    expect((await call().call('hello', {})).policy).toEqual(node.policy);
    expect((await call().call('armed_results', { id: 'late', forget: true })).state).toBe('armed');
    expect(await call().call('cancel', { id: 'late' })).toEqual({ result: 'cancelled' });
    const { state, actions } = await call().call('armed_results', { id: 'late', forget: true });
    expect(state).toBe('cancelled');
    expect(actions).toEqual([{ plannedAt: expect.closeTo(at, 2) }]);
    expect(await active(group)).toBe(before);
  });

  it('arming is refused when it is too late, names something missing, or exceeds the limit', async () => {
    const now = await nowThere();
    const past = { id: 'past', at: now - 1000, actions: [redirect(group, second)] };
    await expect(call().call('arm', past)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/^'past' is armed too late: its instant was \d+\.\d ms ago$/),
      hint: 'arm it at least 5 ms ahead',
    });
    const at = now + hourMs;
    await expect(call().call('arm', { id: 'no', at, actions: [redirect(65_999, second)] })).rejects.toMatchObject({
      code: 'not-found',
      message: 'there is no nexthop 65999',
    });
    await expect(call().call('arm', { id: 'no', at, actions: [redirect(1, 2)] })).rejects.toMatchObject({
      code: 'forbidden',
      message: "nexthop 1 does not belong to slice 'test' (allowed: 65536 to 131071)",
    });
    const gate = { kind: 'gate_close', offsetMs: 0, interface: 'eth0' } as const;
    await expect(call().call('arm', { id: 'no', at, actions: [gate] })).rejects.toMatchObject({
      code: 'forbidden',
      message: "interface 'eth0' does not belong to slice 'test' (allowed: names that begin with pv001-)",
    });
    for (const id of ['a', 'b', 'c']) await call().call('arm', { id, at, actions: [redirect(group, second)] });
    await expect(call().call('arm', { id: 'd', at, actions: [redirect(group, second)] })).rejects.toMatchObject({
      code: 'forbidden',
      message: "'d' cannot be armed: at most 3 may be armed at a time on this node",
    });
    for (const id of ['a', 'b', 'c']) await call().call('cancel', { id });
  });

  it('an armed redirection keeps what it needs from being changed, and the agent from shutting down', async () => {
    const at = (await nowThere()) + hourMs;
    await call().call('arm', { id: 'held', at, actions: [redirect(other, third)] });
    const before = await node.inventory();
    const refused: [OperationInput, number][] = [
      [{ op: 'group_up', id: other, members: [first], active: first, resilient: true }, other],
      [{ op: 'group_down', id: other }, other],
      [{ op: 'nexthop_down', id: third }, third],
      [{ op: 'tunnel_down', interface: 'pv001-g3' }, third],
    ];
    for (const [operation, id] of refused) {
      await expect(node.apply([operation])).rejects.toMatchObject({
        code: 'conflict',
        message: `an armed redirection needs nexthop ${id} unchanged`,
        hint: 'cancel what is armed, or wait until it has fired',
      });
    }
    await expect(call().call('shutdown', {})).rejects.toMatchObject({
      code: 'conflict',
      message: "the agent cannot shut down: 'held' is armed",
      hint: 'cancel it first, or wait until it has fired',
    });
    expect(await node.inventory()).toEqual(before);
    const untouched: OperationInput = {
      op: 'group_up',
      id: other + 1,
      members: [first],
      active: first,
      resilient: false,
    };
    expect(await node.apply([untouched])).toEqual(['changed']);
    await call().call('cancel', { id: 'held' });
    expect(await node.apply([{ op: 'nexthop_down', id: third }])).toEqual(['changed']);
  });
});
