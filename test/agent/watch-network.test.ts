/** Two agents and a router between them, in network namespaces; links and addresses disappear and return. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Params, WatchedTarget } from '../../src/vsys/messages.ts';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const patience = { timeout: 30_000, interval: 50 };

/**
 * Left 10.65.1.1 - 10.65.1.2 router 10.65.2.2 - 10.65.2.1 right. The router is a namespace that the left agent made.
 */
describeAsRoot('a watch over a router', () => {
  let left: AgentNode;
  let right: AgentNode;
  let router: string;
  let watch: Params<'watch'>;

  beforeAll(async () => {
    [left, right] = await Promise.all([startAgentNode(), startAgentNode()]);
    router = left.router('r');
    await left.apply([{ op: 'netns_up', namespace: router, urpf: 'strict' }]);
    makeLeftLink();
    link([right.namespace, 'veth2', '10.65.2.1/24'], [router, 'veth2', '10.65.2.2/24']);
    left.ip('route add 10.65.2.0/24 via 10.65.1.2');
    right.ip('route add 10.65.1.0/24 via 10.65.2.2');
    const { port } = await right.client().call('watch', {
      id: 'right',
      from: '10.65.2.1',
      intervalMs: 100,
      timeoutMs: 1000,
      targets: [],
    });
    watch = {
      id: 'left',
      from: '10.65.1.1',
      intervalMs: 100,
      timeoutMs: 2000,
      targets: [
        { name: 'near', to: '10.65.1.2' },
        { name: 'far', to: '10.65.2.2' },
        { name: 'agent', to: '10.65.2.1', port },
      ],
    };
    await left.client().call('watch', watch);
  });
  afterAll(async () => {
    await left?.remove();
    await right?.remove();
  });

  type End = readonly [namespace: string, device: string, address: string];
  function link(a: End, b: End): void {
    const ip = (...words: string[]) => execFileSync('ip', words);
    ip('-n', a[0], 'link', 'add', a[1], 'type', 'veth', 'peer', 'name', b[1], 'netns', b[0]);
    for (const [namespace, name, address] of [a, b]) {
      ip('-n', namespace, 'address', 'add', address, 'dev', name);
      ip('-n', namespace, 'link', 'set', name, 'up');
    }
  }
  const makeLeftLink = () => link([left.namespace, 'veth1', '10.65.1.1/24'], [router, 'veth1', '10.65.1.2/24']);

  async function targets(): Promise<Map<string, WatchedTarget>> {
    const { watches } = await left.client().call('watch_report', {});
    return new Map(watches.flatMap((report) => report.targets.map((target) => [target.name, target])));
  }
  /** Returns how many probes in a row each target has answered, or missed (negative). */
  async function rows(): Promise<Record<string, number>> {
    return Object.fromEntries(
      [...(await targets())].map(([name, { answeredInRow, missedInRow }]) => [name, answeredInRow || -missedInRow]),
    );
  }
  const well = expect.toSatisfy((row: number) => row >= 5);
  const bad = expect.toSatisfy((row: number) => row <= -3);
  const settled = (expected: Record<string, unknown>) => expect.poll(rows, patience).toEqual(expected);

  it('a watch gets answers from the router and the agent, each with its time', async () => {
    await settled({ near: well, far: well, agent: well });
    for (const { rttMs, sinceAnswerMs } of (await targets()).values()) {
      expect([rttMs, sinceAnswerMs]).toEqual([expect.any(Number), expect.any(Number)]);
    }
  });

  it('a watch misses only what is behind a link that is cut, until the link is restored', async () => {
    right.ip('link set veth2 down');
    await settled({ near: well, far: well, agent: bad });
    right.ip('link set veth2 up');
    right.ip('route replace 10.65.1.0/24 via 10.65.2.2');
    await settled({ near: well, far: well, agent: well });
  });

  it('a watch misses everything while its own interface is gone, and continues when that is recreated', async () => {
    left.ip('link del veth1');
    await settled({ near: bad, far: bad, agent: bad });
    makeLeftLink();
    left.ip('route add 10.65.2.0/24 via 10.65.1.2');
    await settled({ near: well, far: well, agent: well });
  });

  it('a watch answers on its port after its interface was recreated', async () => {
    right.ip('link del veth2');
    await settled({ near: well, far: bad, agent: bad });
    link([right.namespace, 'veth2', '10.65.2.1/24'], [router, 'veth2', '10.65.2.2/24']);
    right.ip('route add 10.65.1.0/24 via 10.65.2.2');
    await settled({ near: well, far: well, agent: well });
  });

  it('a watch probes a target that it was given while its address was unreachable', async () => {
    left.ip('address del 10.65.1.1/24 dev veth1');
    const again = { name: 'again', to: '10.65.1.2' };
    await left.client().call('watch', { ...watch, targets: [again] });
    await settled({ again: bad });
    left.ip('address add 10.65.1.1/24 dev veth1');
    left.ip('route add 10.65.2.0/24 via 10.65.1.2');
    await settled({ again: well });
    await left.client().call('watch', watch);
    await settled({ near: well, far: well, agent: well });
  });

  it('a watch has no misses after its agent was stopped for longer than the timeout', async () => {
    await settled({ near: well, far: well, agent: well });
    const before = await targets();
    const { pid } = (await left.client().call('hello', {})).agent;
    process.kill(pid, 'SIGSTOP');
    await sleep(3000);
    process.kill(pid, 'SIGCONT');
    const sentBy = (name: string) => before.get(name)!.sent + 20;
    await expect
      .poll(async () => [...(await targets())].every(([name, { sent }]) => sent > sentBy(name)), patience)
      .toBe(true);
    for (const [name, { answeredInRow, missedInRow }] of await targets()) {
      expect([name, missedInRow]).toEqual([name, 0]);
      expect(answeredInRow).toBeGreaterThan(before.get(name)!.answeredInRow);
    }
  });

  it('a watch request is logged, and a report is not', async () => {
    const log = agentLog(left);
    expect(log).toMatch(/ watch {"id":"left","from":"10\.65\.1\.1",.*: done in /);
    expect(log).not.toMatch(/watch_report/);
    await left.client().call('watch_stop', { id: 'left' });
    expect(agentLog(left)).toMatch(/ watch_stop {"id":"left"}: done in /);
    await expect(left.client().call('watch_stop', { id: 'left' })).rejects.toMatchObject({ code: 'not-found' });
  });
});
