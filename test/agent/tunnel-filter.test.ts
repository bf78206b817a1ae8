/**
 * Tests from where the node accepts a tunnel's packets, and where a tunnel may lead: on the kernel, and with real
 * packets.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { type FarNode, farAddress, nodeAddress, startFarNode, strangeAddress } from '../support/far-node.ts';
import { echoReply, echoRequest, ethernet } from '../support/frames.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { startVxlanSender, type VxlanSender } from '../support/vxlan-sender.ts';

const port = 4790;
const mac = (last: number) => `02:50:0a:41:00:0${last}`;
const own = { vni: 4097, interface: 'pv001-v', mac: mac(1), address: '10.65.0.1', far: '10.65.0.2', farMac: mac(2) };
const inner = { vni: 4098, interface: 'pv001-w', mac: mac(3), address: '10.65.0.5', far: '10.65.0.6', farMac: mac(4) };
const ends = [own, inner];
type End = typeof own;

describeAsRoot('the packet filter of a slice', () => {
  let node: AgentNode;
  let other: FarNode;
  let router: string;
  let far: VxlanSender;
  const senders: VxlanSender[] = [];
  const table = 'inet pl-vnm-pv001-tunnels';

  beforeAll(async () => {
    node = await startAgentNode();
    router = node.router('a');
    other = await startFarNode(node);
    far = await sender(other.namespace, farAddress, port);
  });
  afterAll(async () => {
    for (const one of senders) await one.end();
    await other.remove();
    await node.remove();
  });

  async function sender(namespace: string, address: string, from = 0): Promise<VxlanSender> {
    const one = await startVxlanSender(namespace, address, from, port);
    senders.push(one);
    return one;
  }

  const tunnel = (end: End, remote: string = farAddress): OperationInput => ({
    op: 'tunnel_up',
    kind: 'vxlan',
    interface: end.interface,
    ...(end === inner ? { namespace: router } : {}),
    mac: end.mac,
    mtu: 1400,
    vni: end.vni,
    remote,
    local: nodeAddress,
    port,
  });
  const up = (end: End): OperationInput[] => [
    tunnel(end),
    {
      op: 'vif_up',
      interface: end.interface,
      ...(end === inner ? { namespace: router } : {}),
      address: end.address,
      peer: { address: end.far, mac: end.farMac },
    },
  ];
  const everything = (): OperationInput[] => [
    { op: 'netns_up', namespace: router, urpf: 'strict' },
    { op: 'rule_up' },
    ...up(own),
    ...up(inner),
  ];
  const nothing = (): OperationInput[] => [
    { op: 'tunnel_down', interface: own.interface },
    { op: 'netns_down', namespace: router },
    { op: 'rule_down' },
  ];

  let number = 0;
  function echo(end: End): Buffer {
    number += 1;
    return ethernet(end.mac, end.farMac, 0x0800, echoRequest(end.far, end.address, number));
  }

  /** Returns the numbers of echo requests that were answered, after everything sent before has been processed. */
  async function answered(): Promise<number[]> {
    for (const end of ends) await far.send(nodeAddress, end.vni, [echo(end)]);
    for (;;) {
      const numbers = (await far.received()).flatMap((frame) => echoReply(frame) ?? []);
      if (numbers.includes(number) && numbers.includes(number - 1)) return numbers;
      await sleep(10);
    }
  }

  function nft(words: string): string {
    const command = ['nft', ...words.split(' ')];
    return execFileSync('nsenter', [`--net=/run/netns/${node.namespace}`, ...command], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  }

  it('the packet filter accepts packets of a tunnel from its remote only, and none of a local program', async () => {
    await node.apply(everything());
    const strangers: [VxlanSender, string][] = [
      [await sender(other.namespace, strangeAddress), nodeAddress],
      [await sender(node.namespace, '127.0.0.1'), '127.0.0.1'],
      [await sender(node.namespace, '127.0.0.1'), nodeAddress],
      [await sender(node.namespace, nodeAddress), nodeAddress],
      [await sender(node.namespace, nodeAddress), '127.0.0.1'],
    ];
    const first = number + 1;
    for (const [stranger, to] of strangers) for (const end of ends) await stranger.send(to, end.vni, [echo(end)]);
    const last = number;
    expect((await answered()).filter((one) => one >= first && one <= last)).toEqual([]);
  });

  it('the packet filter accepts two remotes of one tunnel while both are in its set, until the tunnel is repaired', async () => {
    const stranger = await sender(other.namespace, strangeAddress);
    nft(`add element ${table} remotes { ${port} . ${own.vni} . ${strangeAddress} }`);
    await stranger.send(nodeAddress, own.vni, [echo(own)]);
    const taken = number;
    expect(await answered()).toContain(taken);
    const { differences } = await node.client().call('apply', { operations: everything(), repair: true });
    expect(differences).toEqual([
      { kind: 'filter', name: 'VNI 4097 at port 4790', wanted: 'from 192.0.2.9', found: 'from 192.0.2.8, 192.0.2.9' },
    ]);
    await stranger.send(nodeAddress, own.vni, [echo(own)]);
    const refused = number;
    expect(await answered()).not.toContain(refused);
  });

  const damages: [string, () => void, string | null][] = [
    ['the node’s firewall removed it', () => nft('flush ruleset'), null],
    ['someone removed its rules', () => nft(`flush chain ${table} input`), 'damaged'],
    ['someone removed one of its chains', () => nft(`delete chain ${table} output`), 'damaged'],
  ];
  it.each(damages)('the packet filter is restored after %s', async (_, damage, found) => {
    nft(`flush set ${table} heard`);
    const before = nft('list ruleset');
    damage();
    const { differences } = await node.client().call('apply', { operations: everything(), dryRun: true });
    expect(differences).toEqual([{ kind: 'filter', name: 'rules', wanted: 'complete', found }]);
    // As `install` does, without `repair`.
    expect((await node.apply(everything())).filter((status) => status === 'changed')).toHaveLength(2);
    expect(nft('list ruleset')).toBe(before);
    expect(await node.apply(everything())).not.toContain('changed');
  });

  it('the packet filter follows a tunnel that gets another remote, and goes with the last interface', async () => {
    nft('add table inet pl-vnm-pv002-tunnels');
    const moved = [{ op: 'netns_up', namespace: router, urpf: 'strict' }, tunnel(inner, '192.0.2.77')] as const;
    await node.client().call('apply', { operations: [...moved], repair: true });
    expect(nft(`list set ${table} remotes`)).toContain(`${port} . 0x1002 . 192.0.2.77`);
    expect(nft(`list set ${table} remotes`)).not.toContain(`${port} . 0x1002 . ${farAddress}`);
    await node.apply([{ op: 'tunnel_down', interface: own.interface }]);
    expect(nft(`list set ${table} tunnels`)).toMatch(/elements = \{ 4790 \. 0x1002 \}/);
    await node.apply(nothing());
    expect(nft('list tables')).toBe('table inet pl-vnm-pv002-tunnels\n');
  });

  it('the packet filter exists before the tunnel is up, and not at all when the batch fails', async () => {
    const before = nft('list ruleset');
    const failing: OperationInput = { op: 'nexthop_up', id: 65_999, via: '10.65.0.99', interface: own.interface };
    await expect(node.apply([tunnel(own), failing])).rejects.toMatchObject({
      code: 'failed',
      hint: 'nothing was changed',
    });
    expect(nft('list ruleset')).toBe(before);
  });

  it('a remote that is not another node is refused even without the packet filter', async () => {
    node.ip('address add 198.51.100.1 peer 198.51.100.65/26 dev u0');
    node.ip('address add 203.0.113.4/31 dev u0');
    node.ip('route add local 203.0.113.128/25 dev lo');
    node.ip('address add 10.9.0.1/24 broadcast 10.9.0.77 dev u0');
    const cases: [string, string][] = [
      [nodeAddress, "an address of this node ('u0')"],
      ['192.0.2.255', "the broadcast address of the network 192.0.2.0/24 ('u0')"],
      ['192.0.2.0', "the address of the network 192.0.2.0/24 ('u0') itself"],
      ['198.51.100.1', "an address of this node ('u0')"],
      ['198.51.100.127', "the broadcast address of the network 198.51.100.64/26 ('u0')"],
      ['203.0.113.4', "an address of this node ('u0')"],
      ['203.0.113.200', "an address of this node ('lo')"],
      ['10.9.0.77', "the broadcast address of the network 10.9.0.0/24 ('u0')"],
    ];
    for (const [remote, is] of cases) {
      await expect(node.apply([tunnel(own, remote)])).rejects.toMatchObject({
        code: 'invalid-input',
        message: `interface 'pv001-v' cannot lead to ${remote}: it is ${is}`,
        hint: expect.stringContaining('`address` in the slice file'),
      });
    }
    expect((await node.inventory()).interfaces).toEqual([]);
    // The other of two addresses on a link of two, and a neighbour in a network.
    for (const remote of ['203.0.113.5', '192.0.2.254', '198.51.100.65']) {
      await node.apply([tunnel(own, remote)]);
      await node.apply([{ op: 'tunnel_down', interface: own.interface }]);
    }
    // A remote that was right when the tunnel was created.
    await node.apply([tunnel(own)]);
    node.ip(`address add ${farAddress}/32 dev lo`);
    await expect(node.apply([tunnel(own)])).rejects.toMatchObject({ code: 'invalid-input' });
  });
});
