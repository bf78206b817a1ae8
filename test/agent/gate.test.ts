/** Tests gates on the kernel: they hold and release an end host's packets to what is behind the gateway. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Params } from '../../src/vsys/messages.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { type NumberedReceiver, receiveNumbered, sendNumbered } from '../support/numbered-udp.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { sendUdp } from '../support/udp.ts';

const patience = { timeout: 20_000 };
const soonMs = 1000;
const limitBytes = 20_000_000;
const access = 'pv001-e0g';
const gate = `${access}.ifb`;
const port = 4000;

const mac = (last: number) => `02:50:0a:41:00:${last.toString(16).padStart(2, '0')}`;

function toElsewhere(name: string, index: number, vni: number) {
  const ends = { mac: mac(index), mtu: 1400, vni, remote: '192.0.2.9', port: 4790 };
  return { op: 'tunnel_up', kind: 'vxlan', interface: name, ...ends } as const satisfies OperationInput;
}

/** A namespace next to the gateway's own stack, connected by an interface. */
function neighbour(namespace: string, name: string, index: number): OperationInput[] {
  const [own, other] = [`10.65.${index}.1`, `10.65.${index}.2`];
  const peer = { interface: 'pv001-p', namespace, mac: mac(index + 100) };
  return [
    { op: 'netns_up', namespace, urpf: 'loose' },
    { op: 'tunnel_up', kind: 'local', interface: name, mac: mac(index), mtu: 1400, peer, gateable: true },
    { op: 'vif_up', interface: name, address: own, peer: { address: other, mac: peer.mac }, urpf: 'strict' },
    { op: 'vif_up', interface: 'pv001-p', namespace, address: other, peer: { address: own, mac: mac(index) } },
    {
      op: 'vroute',
      action: 'add',
      namespace,
      prefix: '10.65.0.0/16',
      nexthops: [{ interface: 'pv001-p', via: own }],
    },
  ];
}

describeAsRoot('a gate', () => {
  let node: AgentNode;
  let host: string;
  let receiver: NumberedReceiver | undefined;
  let armed = 0;
  beforeAll(async () => {
    node = await startAgentNode();
    host = node.router('h');
    const beyond = node.router('b');
    await node.apply([{ op: 'rule_up' }, ...neighbour(host, access, 1), ...neighbour(beyond, 'pv001-g1', 2)]);
  });
  afterAll(() => node.remove());
  afterEach(async () => {
    await receiver?.end();
    receiver = undefined;
    await node.apply([{ op: 'gate_down', interface: access }]);
  });

  const up: OperationInput = { op: 'gate_up', interface: access, limitBytes };

  async function receive(): Promise<NumberedReceiver> {
    receiver = await receiveNumbered(node.router('b'), '10.65.2.2', port);
    return receiver;
  }

  const send = (perMs: number) => sendNumbered(host, '10.65.1.2', '10.65.2.2', port, perMs);

  async function act(...actions: Params<'arm'>['actions']): Promise<void> {
    armed += 1;
    const id = `gate-${armed}`;
    const { sentAt } = await node.client().call('clock', {});
    await node.client().call('arm', { id, at: sentAt + soonMs, actions });
    await expect
      .poll(async () => (await node.client().call('armed_results', { id })).state, patience)
      .not.toBe('armed');
    const { state, actions: done } = await node.client().call('armed_results', { id });
    expect({ state, errors: done.flatMap(({ error }) => error ?? []) }).toEqual({ state: 'fired', errors: [] });
  }

  const close = { kind: 'gate_close', offsetMs: 0, interface: access } as const;

  it('a gate is created once, appears in the inventory, and is removed', async () => {
    const before = await node.inventory();
    expect(await node.apply([up])).toEqual(['changed']);
    expect(await node.apply([up])).toEqual(['unchanged']);
    const { interfaces } = await node.inventory();
    expect(interfaces.find(({ name }) => name === gate)).toMatchObject({ kind: 'ifb', up: true });
    expect(await node.apply([{ ...up, limitBytes: limitBytes + 1 }])).toEqual(['changed']);
    expect(await node.apply([{ ...up, limitBytes: limitBytes + 1 }])).toEqual(['unchanged']);
    expect(await node.apply([{ op: 'gate_down', interface: access }])).toEqual(['changed']);
    expect(await node.apply([{ op: 'gate_down', interface: access }])).toEqual(['unchanged']);
    expect(await node.inventory()).toEqual(before);
  });

  it('a gate goes with its interface, and is restored when that is undone', async () => {
    const extra = toElsewhere('pv001-v', 9, 5000);
    await node.apply([extra, { ...up, interface: 'pv001-v' }]);
    const before = await node.inventory();
    const failing: OperationInput = { op: 'nexthop_up', id: 65_999, via: '10.65.9.9', interface: 'pv001-z' };
    const down: OperationInput = { op: 'tunnel_down', interface: 'pv001-v' };
    const other: OperationInput = { ...extra, interface: 'pv001-z', vni: 5001 };
    await expect(node.apply([down, other, failing])).rejects.toMatchObject({ hint: 'nothing was changed' });
    expect(await node.inventory()).toEqual(before);
    expect(await node.apply([{ ...up, interface: 'pv001-v' }])).toEqual(['unchanged']);
    await expect(node.apply([{ op: 'tunnel_down', interface: 'pv001-v.ifb' }])).rejects.toMatchObject({
      code: 'conflict',
      message: "interface 'pv001-v.ifb' is the gate of 'pv001-v'",
      hint: 'remove it with gate_down',
    });
    await node.apply([down]);
    expect((await node.inventory()).interfaces.filter(({ name }) => name.startsWith('pv001-v'))).toEqual([]);
  });

  it('a gate is refused where there can be none', async () => {
    await expect(node.apply([{ ...up, interface: 'pv001-nothing' }])).rejects.toMatchObject({
      code: 'not-found',
      message: "there is no interface 'pv001-nothing'",
    });
    const long = neighbour(node.router('c'), 'pv001-long-na', 3).slice(0, 2);
    await expect(node.apply([...long, { ...up, interface: 'pv001-long-na' }])).rejects.toMatchObject({
      code: 'invalid-input',
      message: "the name 'pv001-long-na' is too long for a gate, which adds .ifb to it",
      hint: 'give the interface a name of at most 11 characters',
    });
    const client = node.client();
    await expect(client.call('arm', { id: 'no', at: Date.now() + 5000, actions: [close] })).rejects.toMatchObject({
      code: 'not-found',
      message: `there is no such gate: tc qdisc show dev ${gate}: Cannot find device "${gate}"`,
      hint: 'create it with gate_up',
    });
  });

  it('a gate holds packets from the first one on, and releases all even if no other packet arrives', async () => {
    await node.apply([up]);
    const { numbers } = await receive();
    await act(close);
    await sendUdp(host, '10.65.1.2', '10.65.2.2', port + 1, 1, 1);
    const sender = await send(1);
    await sleep(100);
    const sent = await sender.stop();
    await sleep(100);
    expect(await numbers()).toEqual([]);
    expect(await node.apply([up])).toEqual(['changed']);
    await expect.poll(async () => (await numbers()).length, patience).toBe(sent);
    expect(await numbers()).toEqual(Array.from({ length: sent }, (_, index) => index));
  });

  it('a gate loses and reorders no packet of a stream when it closes repeatedly', async () => {
    await node.apply([up]);
    const { numbers } = await receive();
    const sender = await send(10);
    const offsets = [0, 60, 61, 90, 100, 130];
    const actions = offsets.map(
      (offsetMs, index) => ({ kind: index % 2 ? 'gate_open' : 'gate_close', offsetMs, interface: access }) as const,
    );
    await act(...actions);
    const sent = await sender.stop();
    await expect.poll(async () => (await numbers()).length, patience).toBe(sent);
    expect(await numbers()).toEqual(Array.from({ length: sent }, (_, index) => index));
  });

  it('adding and removing a gate loses no outgoing packet', async () => {
    receiver = await receiveNumbered(host, '10.65.1.2', port);
    const { numbers } = receiver;
    const sender = await sendNumbered(node.router('b'), '10.65.2.2', '10.65.1.2', port, 10);
    for (let time = 0; time < 5; time += 1) {
      await node.apply([up]);
      await node.apply([{ op: 'gate_down', interface: access }]);
    }
    const sent = await sender.stop();
    await expect.poll(async () => (await numbers()).length, patience).toBe(sent);
  });

  it('a gate can be added to an interface that was not made for it, which then keeps its hook', async () => {
    const plain = toElsewhere('pv001-w', 10, 5002);
    await node.apply([plain, { ...up, interface: 'pv001-w' }, { op: 'gate_down', interface: 'pv001-w' }]);
    expect(await node.apply([{ ...plain, gateable: true }])).toEqual(['unchanged']);
    await node.apply([{ op: 'tunnel_down', interface: 'pv001-w' }]);
    const inRouter: OperationInput = { ...plain, namespace: host, gateable: true };
    await expect(node.apply([inRouter])).rejects.toMatchObject({
      code: 'invalid-input',
      message: `interface 'pv001-w' in namespace '${host}' cannot have a gate`,
      hint: "gates are for interfaces in the node's own stack",
    });
  });

  it('a gate releases what it holds when it is removed', async () => {
    await node.apply([up]);
    const { numbers } = await receive();
    await act(close);
    const sender = await send(1);
    await sleep(30);
    const sent = await sender.stop();
    await node.apply([{ op: 'gate_down', interface: access }]);
    await expect.poll(async () => (await numbers()).length, patience).toBe(sent);
  });

  it('a gate cannot be changed while it is armed', async () => {
    await node.apply([up]);
    const { sentAt } = await node.client().call('clock', {});
    await node.client().call('arm', { id: 'held', at: sentAt + 3_600_000, actions: [close] });
    const refused: OperationInput[] = [
      { op: 'gate_down', interface: access },
      { op: 'tunnel_down', interface: access },
      { ...up, limitBytes: limitBytes + 1 },
    ];
    for (const operation of refused) {
      await expect(node.apply([operation])).rejects.toMatchObject({
        code: 'conflict',
        message: `the gate of '${access}' is armed`,
        hint: 'cancel what is armed, or wait until it has fired',
      });
    }
    expect(await node.apply([up])).toEqual(['unchanged']);
    expect(await node.client().call('cancel', { id: 'held' })).toEqual({ result: 'cancelled' });
  });
});
