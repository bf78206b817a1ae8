/** Tests that the ends of tunnels flip from one place of a router to another, and that no packet is lost meanwhile. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { endOf, here, macOf, there, tunnelUp } from './networks.ts';
import { apply, inventoryOf, type NetworkUnderTest, type NodeUnderTest, type PlaneUnderTest } from './under-test.ts';

const patience = { timeout: 60_000, interval: 50 };

/**
 *     here ── a ══ r ══ b ── there
 *
 * The router `r` is on two nodes at once, with the same interfaces and addresses.
 */
export function flip(plane: PlaneUnderTest): void {
  let network: NetworkUnderTest;
  let [a, b, first, second]: NodeUnderTest[] = [];
  const routerOf = ({ policy }: NodeUnderTest) => `${policy.namespacePrefix}r`;

  beforeAll(async () => {
    network = await plane.start(4);
    [a, b, first, second] = network.nodes as [NodeUnderTest, NodeUnderTest, NodeUnderTest, NodeUnderTest];
    await apply(a!, ...endOf(a!, here, 1), towards(a!, first!), ...outwards(a!));
    await apply(b!, ...endOf(b!, there, 3), towards(b!, first!), ...outwards(b!));
    await apply(first!, ...router(first!));
  });
  afterAll(() => network.end());

  const sides = () => [
    {
      node: a!,
      own: '10.65.3.1',
      mac: 30,
      name: 'pv001-x0',
      vni: 4200,
      other: '10.65.20.0/24',
      behind: '10.65.10.0/24',
    },
    {
      node: b!,
      own: '10.65.4.1',
      mac: 40,
      name: 'pv001-x1',
      vni: 4201,
      other: '10.65.10.0/24',
      behind: '10.65.20.0/24',
    },
  ];
  const sideOf = (node: NodeUnderTest) => sides().find((side) => side.node === node)!;
  const atRouter = (own: string) => own.replace(/1$/, '2');

  /** The tunnel's end at a or b. */
  function towards(node: NodeUnderTest, place: NodeUnderTest, other?: NodeUnderTest): OperationInput {
    const { name, mac, vni } = sideOf(node);
    const end = { interface: name, mac: macOf(mac), mtu: 1400, vni, remote: place.address, port: place.port ?? 4790 };
    const operation = tunnelUp(node, end);
    if (other === undefined) return operation;
    return operation.kind === 'vxlan'
      ? { ...operation, alsoFrom: other.address }
      : ({ ...operation, alsoFrom: { address: other.address, port: other.port } } as OperationInput);
  }

  function outwards(node: NodeUnderTest): OperationInput[] {
    const { name, own, mac, other } = sideOf(node);
    const peer = { address: atRouter(own), mac: macOf(mac + 1) };
    return [
      { op: 'vif_up', interface: name, address: own, peer },
      { op: 'vroute', action: 'add', prefix: other, nexthops: [{ interface: name, via: peer.address }] },
    ];
  }

  function router(place: NodeUnderTest): OperationInput[] {
    const namespace = routerOf(place);
    return [
      { op: 'netns_up', namespace, urpf: 'strict' },
      ...sides().flatMap(({ node, name, own, mac, vni, behind }): OperationInput[] => [
        tunnelUp(place, {
          ...{ interface: name, namespace, mac: macOf(mac + 1), mtu: 1400, vni },
          ...{ remote: node.address, port: node.port ?? 4790 },
        }),
        {
          ...{ op: 'vif_up', interface: name, namespace, address: atRouter(own) },
          peer: { address: own, mac: macOf(mac) },
        },
        { op: 'vroute', action: 'add', namespace, prefix: behind, nexthops: [{ interface: name, via: own }] },
      ]),
    ];
  }

  const reaches = async () => (await a!.call('reach', { from: here, to: [there], timeoutMs: 1000 })).answered[0];

  it('a packet from the second place is accepted only where the tunnel says so', async () => {
    expect(await reaches()).toBe(true);
    await apply(second!, ...router(second!));
    expect(await apply(a!, towards(a!, second!))).toEqual(['changed']);
    // b takes no packet from there yet.
    expect(await reaches()).toBe(false);
    await apply(b!, towards(b!, first!, second!));
    // a takes no answer from the first place any more.
    expect(await reaches()).toBe(false);
    await apply(a!, towards(a!, second!, first!));
    expect(await reaches()).toBe(true);
    expect(await apply(a!, towards(a!, second!, first!))).toEqual(['unchanged']);
  });

  it('the tunnels flip forth and back under traffic, and no packet is lost or arrives twice', async () => {
    const { port } = await b!.call('stream_open', { stream: 'f', address: there, sender: here });
    const [count, rateBps] = plane.kind === 'memory' ? [500, 400_000] : [6000, 1_600_000];
    await a!.call('stream_send', { stream: 'f', from: here, to: there, port, payloadBytes: 100, rateBps, count });
    for (let round = 0; round < 6; round += 1) {
      const [place, other] = round % 2 === 0 ? [first!, second!] : [second!, first!];
      for (const node of round % 3 === 0 ? [a!, b!] : [b!, a!]) {
        await apply(node, towards(node, place, other));
      }
    }
    await expect.poll(async () => (await a!.call('stream_report', { stream: 'f' })).sent, patience).toBe(count);
    await expect.poll(async () => (await b!.call('stream_report', { stream: 'f' })).received, patience).toBe(count);
    expect(await b!.call('stream_report', { stream: 'f' })).toMatchObject({
      received: count,
      duplicated: 0,
      dropped: 0,
    });
  });

  it('a batch that fails after a flip flips back', async () => {
    const before = (await inventoryOf(a!)).interfaces;
    const broken = { op: 'nexthop_up' as const, id: 65_990, via: '10.65.3.2', interface: 'pv001-none' };
    await expect(apply(a!, towards(a!, first!, second!), broken)).rejects.toThrow();
    expect((await inventoryOf(a!)).interfaces).toEqual(before);
    expect(await reaches()).toBe(true);
  });

  it('packets from the old place are dropped once the move has ended', async () => {
    for (const node of [a!, b!]) await apply(node, towards(node, second!));
    expect(await reaches()).toBe(true);
    const { interfaces } = await inventoryOf(a!);
    expect(interfaces.find(({ name }) => name === 'pv001-x0')!.remote).toBe(second!.address);
    await apply(first!, { op: 'netns_down', namespace: routerOf(first!) });
    expect(await reaches()).toBe(true);
  });
}
