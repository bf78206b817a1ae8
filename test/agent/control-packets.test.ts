/**
 * OSPF packets that arrive at a router's old place while its daemon moves: they get to the new place, none is lost, and
 * a gate there holds them until a daemon listens. The routers are a - r - b; r has two places, a and b are on a third
 * node.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { type OspfReceiver, receiveOspf, sendOspf } from '../support/numbered-ospf.ts';
import { receiveNumbered, sendNumbered } from '../support/numbered-udp.ts';
import { describeAsRoot } from '../support/privileges.ts';

const patience = { timeout: 20_000, interval: 50 };
const port = 4790;
const device = 'pv001-ctl';
const mac = (last: number) => `02:50:0a:41:00:0${last}`;
const links = [
  { router: 'a', far: 'pv001-ra', vni: 4097, macs: [mac(1), mac(2)], addresses: ['10.65.0.2', '10.65.0.3'] },
  { router: 'b', far: 'pv001-rb', vni: 4098, macs: [mac(3), mac(4)], addresses: ['10.65.0.4', '10.65.0.5'] },
] as const;
type Link = (typeof links)[number];
const ownAddresses = links.map(({ addresses }) => addresses[1]);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describeAsRoot('OSPF packets of a router that moves', () => {
  let neighbours: AgentNode;
  let old: AgentNode;
  let fresh: AgentNode;
  const nodes = () => [neighbours, old, fresh];
  const underlay = (node: AgentNode) => `192.0.2.${nodes().indexOf(node) + 1}`;
  const receivers: OspfReceiver[] = [];

  beforeAll(async () => {
    [neighbours, old, fresh] = [await startAgentNode(), await startAgentNode(), await startAgentNode()];
    neighbours.ip('link add name under type bridge');
    for (const [index, place] of [old, fresh].entries()) {
      neighbours.ip(`link add port${index} type veth peer name under netns ${place.namespace}`);
      neighbours.ip(`link set port${index} master under up`);
    }
    for (const node of nodes()) {
      node.ip(`address add ${underlay(node)}/24 dev under`);
      node.ip('link set under up');
    }
    await old.apply(placeOfR(old, fresh));
    await fresh.apply(placeOfR(fresh, old));
    await neighbours.apply(links.flatMap((link) => neighbour(link, old)));
  });
  afterEach(async () => {
    for (const receiver of receivers.splice(0)) await receiver.end();
    for (const node of [old, fresh]) await node.apply([{ op: 'control_down', namespace: node.router('r') }]);
    await neighbours.apply(links.flatMap((link) => neighbour(link, old)));
  });
  afterAll(async () => {
    for (const node of nodes()) await node?.remove();
  });

  const tunnel = (node: AgentNode, far: AgentNode, also: AgentNode, router: string, { vni, far: name }: Link) =>
    ({
      op: 'tunnel_up',
      kind: 'vxlan',
      interface: name,
      namespace: node.router(router),
      mtu: 1400,
      vni,
      remote: underlay(far),
      alsoFrom: underlay(also),
      local: underlay(node),
      port,
    }) as const;
  const vif = (node: AgentNode, router: string, name: string, [own, peer]: readonly string[], peerMac: string) =>
    ({
      op: 'vif_up',
      interface: name,
      namespace: node.router(router),
      address: own!,
      peer: { address: peer!, mac: peerMac },
      pointToPoint: true,
    }) satisfies OperationInput;
  /** Accepts packets from the other place, too. */
  const placeOfR = (place: AgentNode, other: AgentNode): OperationInput[] => [
    { op: 'netns_up', namespace: place.router('r'), urpf: 'strict' },
    ...links.flatMap((link): OperationInput[] => [
      { ...tunnel(place, neighbours, other, 'r', link), mac: link.macs[1] },
      vif(place, 'r', link.far, link.addresses.toReversed(), link.macs[0]),
    ]),
  ];
  /** Sends to this place of r. */
  const neighbour = (link: Link, place: AgentNode): OperationInput[] => [
    { op: 'netns_up', namespace: neighbours.router(link.router), urpf: 'strict' },
    {
      ...tunnel(neighbours, place, place === old ? fresh : old, link.router, link),
      mac: link.macs[0],
    },
    vif(neighbours, link.router, link.far, link.addresses, link.macs[1]),
  ];
  const control = (node: AgentNode, how: { sendTo?: string; gate?: 'none' | 'closed' | 'open' } = {}) =>
    node.apply([{ op: 'control_up', namespace: node.router('r'), ...how }]);
  const report = async (node: AgentNode) => (await node.inventory()).control?.[0];

  async function listen(node: AgentNode): Promise<OspfReceiver> {
    const receiver = await receiveOspf(node.router('r'), ownAddresses);
    receivers.push(receiver);
    return receiver;
  }
  /** From neighbour a: to the group of all routers if `to` is missing. */
  const send = (first: number, count: number, { to, pauseMs }: { to?: string; pauseMs?: number } = {}) =>
    sendOspf(neighbours.router('a'), {
      from: links[0].addresses[0],
      first,
      count,
      ...(to === undefined ? {} : { to }),
      ...(pauseMs === undefined ? {} : { pauseMs }),
    }).sent;

  it('what becomes of them is set up once, appears in the inventory, and is removed', async () => {
    const before = await old.inventory();
    const tunnels = links.map(({ far }) => far);
    const none = { sent: 0, held: 0, dropped: 0 };
    expect(await control(old, { sendTo: underlay(fresh) })).toEqual(['changed']);
    expect(await control(old, { sendTo: underlay(fresh) })).toEqual(['unchanged']);
    expect(await report(old)).toEqual({
      namespace: old.router('r'),
      tunnels,
      sendTo: underlay(fresh),
      gate: 'none',
      ...none,
    });
    expect(await control(old, { gate: 'closed' })).toEqual(['changed']);
    expect(await control(old, { gate: 'closed' })).toEqual(['unchanged']);
    expect(await report(old)).toEqual({ namespace: old.router('r'), tunnels, gate: 'closed', ...none });
    expect(await control(old, { gate: 'open' })).toEqual(['changed']);
    expect(await control(old, { gate: 'open' })).toEqual(['unchanged']);
    expect(await report(old)).toMatchObject({ gate: 'open' });
    const down: OperationInput = { op: 'control_down', namespace: old.router('r') };
    expect(await old.apply([down])).toEqual(['changed']);
    expect(await old.apply([down])).toEqual(['unchanged']);
    expect(await old.inventory()).toEqual(before);
  });

  it('all of it is undone with its batch', async () => {
    const failing: OperationInput = { op: 'nexthop_up', id: 65_999, via: '10.65.9.9', interface: 'pv001-z' };
    const apart: OperationInput[] = [
      {
        ...tunnel(old, neighbours, fresh, 'r', links[0]),
        namespace: undefined,
        interface: 'pv001-z',
        vni: 5001,
        mac: mac(9),
      },
      failing,
    ];
    const up = (sendTo: string, gate: 'none' | 'closed'): OperationInput => {
      return { op: 'control_up', namespace: old.router('r'), sendTo, gate };
    };
    const nothing = await old.inventory();
    await expect(old.apply([up(underlay(fresh), 'closed'), ...apart])).rejects.toMatchObject({
      hint: 'nothing was changed',
    });
    expect(await old.inventory()).toEqual(nothing);
    await old.apply([up(underlay(fresh), 'closed')]);
    const there = await old.inventory();
    const removals: OperationInput[] = [
      up('192.0.2.77', 'none'),
      { op: 'control_down', namespace: old.router('r') },
      { op: 'tunnel_down', interface: device, namespace: old.router('r') },
      { op: 'tunnel_down', interface: links[0].far, namespace: old.router('r') },
      { op: 'netns_down', namespace: old.router('r') },
    ];
    for (const removal of removals) {
      await expect(old.apply([removal, ...apart])).rejects.toMatchObject({ hint: 'nothing was changed' });
      expect({ removal, ...(await old.inventory()) }).toEqual({ removal, ...there });
    }
    const entries = old.ip(`-json -details link show`, old.router('r'));
    expect(entries).toContain(device);
    // Without the device there is nothing left of it.
    await old.apply([{ op: 'tunnel_down', interface: device, namespace: old.router('r') }]);
    expect(await old.inventory()).toEqual(nothing);
  });

  it('copies of all arrive at the other place in their order, and the originals as before', async () => {
    await control(old, { sendTo: underlay(fresh) });
    const [here, there] = [await listen(old), await listen(fresh)];
    await send(0, 300, { pauseMs: 1 });
    await send(300, 300, { to: links[0].addresses[1] });
    await expect.poll(() => there.numbers(), patience).toEqual(upTo(600));
    await expect.poll(() => here.numbers(), patience).toEqual(upTo(600));
    expect(await report(old)).toMatchObject({ sent: 600, held: 0, dropped: 0 });
  });

  it('a copy is never copied again, also where both places send to each other', async () => {
    await control(old, { sendTo: underlay(fresh) });
    await control(fresh, { sendTo: underlay(old) });
    const [here, there] = [await listen(old), await listen(fresh)];
    await send(0, 20);
    await expect.poll(() => there.numbers(), patience).toEqual(upTo(20));
    await expect.poll(() => here.numbers(), patience).toEqual(upTo(20));
    expect([(await report(old))?.sent, (await report(fresh))?.sent]).toEqual([20, 0]);
  });

  it('a closed gate holds them, whichever way they come, until it opens, and keeps their order', async () => {
    await control(fresh, { gate: 'closed' });
    await control(old, { sendTo: underlay(fresh) });
    const there = await listen(fresh);
    await send(0, 200);
    await neighbours.apply(links.flatMap((link) => neighbour(link, fresh)));
    await send(200, 200);
    await expect.poll(async () => (await report(fresh))?.held, patience).toBe(400);
    expect(there.numbers()).toEqual([]);
    const more = send(400, 300, { pauseMs: 1 });
    await control(fresh, { gate: 'open' });
    await more;
    await expect.poll(() => there.numbers(), patience).toEqual(upTo(700));
    expect(await report(fresh)).toMatchObject({ gate: 'open', held: 700, dropped: 0 });
    const last = send(700, 300, { pauseMs: 1 });
    await fresh.apply([{ op: 'control_down', namespace: fresh.router('r') }]);
    await last;
    await expect.poll(() => there.numbers(), patience).toEqual(upTo(1000));
  });

  it('a gate opens when somebody listens where it holds packets', async () => {
    await control(fresh, { gate: 'closed' });
    await control(old, { sendTo: underlay(fresh) });
    await send(0, 50);
    await expect.poll(async () => (await report(fresh))?.held, patience).toBe(50);
    const opened = control(fresh, { gate: 'open' });
    await sleep(300);
    const there = await listen(fresh);
    await opened;
    await expect.poll(() => there.numbers(), patience).toEqual(upTo(50));
  });

  it('a gate that is removed lets everything out, also without a listener', async () => {
    await control(fresh, { gate: 'closed' });
    await control(old, { sendTo: underlay(fresh) });
    await send(0, 50);
    await expect.poll(async () => (await report(fresh))?.held, patience).toBe(50);
    const received = async () => {
      const { interfaces } = await fresh.client().call('counters', {});
      return interfaces.map(({ name }) => name).filter((name) => name.startsWith('pv001-'));
    };
    expect(await received()).not.toContain(device);
    expect(await fresh.apply([{ op: 'control_down', namespace: fresh.router('r') }])).toEqual(['changed']);
    const there = await listen(fresh);
    await send(50, 10);
    await expect.poll(() => there.numbers().slice(-10), patience).toEqual(upTo(60).slice(50));
  });

  it('no other packet is held or lost while that comes and goes', async () => {
    const [a] = links;
    const receiver = await receiveNumbered(neighbours.router('a'), a.addresses[0], 5000);
    const sender = await sendNumbered(old.router('r'), a.addresses[1], a.addresses[0], 5000, 10);
    for (let round = 0; round < 5; round += 1) {
      await control(old, { sendTo: underlay(fresh) });
      await control(old, { gate: 'closed' });
      await old.apply([{ op: 'control_down', namespace: old.router('r') }]);
    }
    const count = await sender.stop();
    expect(count).toBeGreaterThan(0);
    await expect.poll(async () => (await receiver.numbers()).length, patience).toBe(count);
    await receiver.end();
  });

  it('the next agent finds it', async () => {
    await control(old, { sendTo: underlay(fresh), gate: 'closed' });
    const before = await report(old);
    await old.endAgent('shutdown');
    expect(await report(old)).toEqual(before);
    expect(await control(old, { sendTo: underlay(fresh), gate: 'closed' })).toEqual(['unchanged']);
  });

  it('it is refused where it makes no sense', async () => {
    const up: OperationInput = { op: 'control_up', namespace: old.router('r') };
    await expect(old.apply([{ ...up, sendTo: underlay(old) }])).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(old.apply([{ ...up, sendTo: '10.65.0.9' }])).rejects.toMatchObject({ code: 'forbidden' });
    await expect(old.apply([{ ...up, namespace: old.router('x') }])).rejects.toMatchObject({ code: 'not-found' });
    const lonely: OperationInput[] = [
      { op: 'netns_up', namespace: old.router('y'), urpf: 'strict' },
      { ...up, namespace: old.router('y') },
    ];
    await expect(old.apply(lonely)).rejects.toMatchObject({
      code: 'not-found',
      message: `namespace '${old.router('y')}' has no tunnel to another node`,
    });
    expect((await old.inventory()).control).toBeUndefined();
  });
});
