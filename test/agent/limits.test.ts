/**
 * The policy's limits apply to a whole agent, however many clients and channels it has. Those of namespaces and
 * tunnels: operations.test.ts.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { VnmError } from '../../src/model/errors.ts';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const patience = { timeout: 20_000 };

describeAsRoot('the limits of an agent', () => {
  let node: AgentNode;
  beforeAll(async () => {
    node = await startAgentNode({ routes: 2, armed: 1, streams: 2, trafficBps: 100_000 });
  });
  afterAll(() => node.remove());

  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.fail('it was allowed'),
      ({ code, message }: VnmError) => ({ code, message }),
    );

  it('the limit of routes counts the entries that come with interfaces', async () => {
    const mac = '02:50:0a:41:00:01';
    const vxlan = { op: 'tunnel_up', kind: 'vxlan', mac, mtu: 1400, remote: '192.0.2.9', port: 4790 } as const;
    const vif = (index: number) =>
      [
        { ...vxlan, interface: `pv001-${index}`, vni: 4096 + index },
        {
          op: 'vif_up',
          interface: `pv001-${index}`,
          address: `10.65.${index}.0`,
          peer: { address: `10.65.${index}.1`, mac },
        },
      ] as const;
    await node.apply([...vif(1), { op: 'rule_up' }]);
    const before = await node.inventory();
    expect(await refusal(node.apply(vif(2)))).toEqual({
      code: 'forbidden',
      message: "slice 'test' may have at most 2 routes on this node",
    });
    expect(await node.inventory()).toEqual(before);
    await node.apply([{ op: 'rule_down' }, ...vif(2)]);
  });

  it('the limit of armed ids counts what several clients arm together', async () => {
    const arm = (id: string) => {
      const actions = [{ kind: 'gate_open', offsetMs: 0, interface: 'pv001-1' } as const];
      return node.attach().client.call('arm', { id, at: Date.now() + 3_600_000, actions });
    };
    await node.apply([{ op: 'gate_up', interface: 'pv001-1', limitBytes: 10_000 }]);
    const settled = await Promise.allSettled(['a', 'b', 'c'].map(arm));
    const refused = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as VnmError] : []));
    expect(refused.map(({ code }) => code)).toEqual(['forbidden', 'forbidden']);
    expect(refused[0]!.message).toMatch(/^'[abc]' cannot be armed: at most 1 may be armed at a time on this node$/);
    const id = ['a', 'b', 'c'].find((_, index) => settled[index]!.status === 'fulfilled')!;
    expect(await node.client().call('cancel', { id })).toEqual({ result: 'cancelled' });
  });

  it('the limits of streams and traffic count those of several clients together', async () => {
    node.ip('address add 10.65.9.1/32 dev lo');
    const [one, other] = [node.attach().client, node.attach().client];
    const packets = { from: '10.65.9.1', to: '10.65.9.1', port: 9, payloadBytes: 100 };
    await one.call('stream_send', { stream: 'a', ...packets, rateBps: 60_000 });
    expect(await refusal(other.call('stream_send', { stream: 'b', ...packets, rateBps: 60_000 }))).toEqual({
      code: 'forbidden',
      message: "stream 'b' asks for 60000 bit/s, but 60000 of the 100000 bit/s allowed on this node are in use",
    });
    await other.call('stream_open', { stream: 'b', address: '10.65.9.1' });
    expect(await refusal(one.call('stream_open', { stream: 'c', address: '10.65.9.1' }))).toEqual({
      code: 'forbidden',
      message: "cannot add stream 'c': at most 2 streams are allowed on this node",
    });
    for (const stream of ['a', 'b']) await one.call('stream_report', { stream, close: true });
  });

  it('idle channels are closed for the sixty-fifth client and further ones', async () => {
    const sockets: Socket[] = [];
    const open = async () => {
      const socket = connect(join(node.directory, 'run', 'test.sock')).on('error', () => undefined);
      sockets.push(socket);
      await once(socket, 'connect');
    };
    try {
      await node.client().call('hello', {});
      for (let count = 0; count < 64; count += 1) await open();
      await vi.waitFor(() => expect(agentLog(node)).toContain('64 channels are open, and this one had not said hello'));
      expect(await node.client().call('clock', {})).toBeDefined();
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await vi.waitFor(async () => expect(await node.attach().client.call('clock', {})).toBeDefined(), patience);
  });
});
