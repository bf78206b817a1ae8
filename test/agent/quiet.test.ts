/**
 * Tests what a slice's interfaces accept and send beyond what the slice asked for: nothing, whatever comes out of a
 * tunnel.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { type FarNode, farAddress, nodeAddress, startFarNode } from '../support/far-node.ts';
import {
  arpRequest,
  echoReply,
  echoRequest,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  routerAdvertisement,
  udp,
} from '../support/frames.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { startVxlanSender, type VxlanSender } from '../support/vxlan-sender.ts';

const port = 4790;
const mac = (last: number) => `02:50:0a:41:00:${last.toString(16).padStart(2, '0')}`;
const broadcast = 'ff:ff:ff:ff:ff:ff';

/** An interface of the node's own stack, and one of a router; the far end of each is at the other node. */
const own = { vni: 4097, interface: 'pv001-v', mac: mac(1), address: '10.65.0.1', far: '10.65.0.2', farMac: mac(2) };
const inner = { vni: 4098, interface: 'pv001-w', mac: mac(3), address: '10.65.0.5', far: '10.65.0.6', farMac: mac(4) };
type End = typeof own;

function up(end: End, mtu: number, namespace?: string): OperationInput[] {
  const place = { interface: end.interface, ...(namespace === undefined ? {} : { namespace }) };
  return [
    { op: 'tunnel_up', kind: 'vxlan', ...place, mac: end.mac, mtu, vni: end.vni, remote: farAddress, port },
    { op: 'vif_up', ...place, address: end.address, peer: { address: end.far, mac: end.farMac } },
  ];
}

/** Unrequested packets that the far end of a link may send, by name. */
function hostile(end: End): Record<string, Buffer> {
  const { mac: to, farMac: from, address, far } = end;
  const dhcp = udp(68, 67, Buffer.alloc(240));
  const multicast = (group: string) =>
    `01:00:5e:${group
      .split('.')
      .slice(1)
      .map((part) => Number(part).toString(16))
      .join(':')}`;
  const ip6 = (target: string, packet: Buffer) => ethernet(target, from, 0x86dd, packet);
  const ip4 = (target: string, packet: Buffer) => ethernet(target, from, 0x0800, packet);
  const linkLocal = 'fe80::50:aff:fe41:1';
  const solicited = `ff02::1:ff41:${Number.parseInt(to.slice(-2), 16).toString(16)}`;
  const nodes = 'ff02::1';
  const asked = Buffer.concat([
    Buffer.alloc(4),
    Buffer.from('fe800000000000000050 0aff fe41 0001'.replaceAll(' ', ''), 'hex'),
  ]);
  // To a router of the VN this is an address like any other.
  const ofNetwork =
    end === own ? { 'broadcast of the node’s network': ip4(to, ipv4(far, '192.0.2.255', 17, dhcp)) } : {};
  const embedded = ipv4(address, '198.51.100.7', 17, udp(1000, 2000, Buffer.alloc(8)));
  return {
    'router advertisement to all nodes': ip6('33:33:00:00:00:01', routerAdvertisement('fe80::bad', nodes)),
    'router advertisement to the interface': ip6(to, routerAdvertisement('fe80::bad', linkLocal)),
    'neighbour solicitation': ip6('33:33:ff:41:00:01', icmpv6('fe80::bad', solicited, 135, asked)),
    'MLD query': ip6('33:33:00:00:00:01', icmpv6('fe80::bad', nodes, 130, Buffer.alloc(20))),
    'IPv6 echo request': ip6('33:33:00:00:00:01', icmpv6('fe80::bad', nodes, 128, Buffer.alloc(8))),
    'ARP request': arpRequest({ mac: from, address: far }, address),
    'ARP request for the node’s own address': arpRequest({ mac: from, address: far }, nodeAddress),
    'ICMP redirect': ip4(
      to,
      ipv4(far, address, 1, icmp(5, 1, Buffer.concat([Buffer.from([10, 65, 0, 77]), embedded]))),
    ),
    'IGMP query': ip4(multicast('224.0.0.1'), ipv4(far, '224.0.0.1', 2, icmp(0x11, 1, Buffer.alloc(4)))),
    mDNS: ip4(multicast('224.0.0.251'), ipv4(far, '224.0.0.251', 17, udp(5353, 5353, Buffer.alloc(12)))),
    LLMNR: ip4(multicast('224.0.0.252'), ipv4(far, '224.0.0.252', 17, udp(5355, 5355, Buffer.alloc(12)))),
    'multicast to the interface': ip4(to, ipv4(far, '224.0.0.251', 17, udp(5353, 5353, Buffer.alloc(12)))),
    'DHCP discover': ip4(broadcast, ipv4('0.0.0.0', '255.255.255.255', 17, dhcp)),
    'broadcast to the interface': ip4(to, ipv4(far, '255.255.255.255', 17, dhcp)),
    ...ofNetwork,
    'unicast in a broadcast frame': ip4(broadcast, ipv4(far, address, 17, dhcp)),
  };
}

function echoTo({ mac: to, farMac, far, address }: End, number: number): Buffer {
  return ethernet(to, farMac, 0x0800, echoRequest(far, address, number));
}

describe.each([true, false])('on a node with nft: %s', (hasNft) =>
  describeAsRoot('an interface of a slice', () => {
    let node: AgentNode;
    let router: string;
    let far: VxlanSender;
    let other: FarNode;

    beforeAll(async () => {
      node = await startAgentNode({}, hasNft ? {} : { without: 'nft' });
      router = node.router('a');
      other = await startFarNode(node);
      far = await startVxlanSender(other.namespace, farAddress, port, port);
    });
    afterAll(async () => {
      await far.end();
      await other.remove();
      await node.remove();
    });

    const everything = (mtu = 1400): OperationInput[] => [
      { op: 'rule_up' },
      { op: 'netns_up', namespace: router, urpf: 'strict' },
      ...up(own, mtu),
      ...up(inner, mtu, router),
      { op: 'gate_up', interface: own.interface, limitBytes: 5_000_000 },
    ];
    const nothing = (): OperationInput[] => [
      { op: 'tunnel_down', interface: own.interface },
      { op: 'netns_down', namespace: router },
      { op: 'rule_down' },
    ];

    /** Programs of the node can get broadcast and multicast if nothing filters it. */
    function frames(end: End): Buffer[] {
      const isCast = /IGMP|DNS|LLMNR|DHCP|cast/;
      return Object.entries(hostile(end)).flatMap(([name, frame]) => (hasNft || !isCast.test(name) ? [frame] : []));
    }

    /** Sends an echo request, and waits for the answer; by then everything sent before has been processed. */
    let number = 0;
    async function fence(end: End): Promise<void> {
      number += 1;
      await far.send(nodeAddress, end.vni, [echoTo(end, number)]);
      while (!(await far.received()).some((frame) => echoReply(frame) === number)) await sleep(10);
    }

    /** Everything that ever came out of the tunnels, except answers to echo requests. */
    async function unasked(): Promise<string[]> {
      return (await far.received())
        .filter((frame) => echoReply(frame) === undefined)
        .map((frame) => frame.toString('hex'));
    }

    /** Returns what a stack has of IPv6, except for the underlay and the loopback interface. */
    function ipv6Of(namespace: string): string[] {
      const text = ['-6 -o address show', '-6 route show table all', '-6 neighbour show'].map((words) =>
        node.ip(words, namespace),
      );
      return text.flatMap((part) => part.split('\n')).filter((line) => /pv001-|2001:db8:bad|fe80::bad/.test(line));
    }

    /** Returns what programs of the node get that listen on all its interfaces. */
    async function openServices(): Promise<{ arrived(): Promise<number>; end(): Promise<void> }> {
      const services: (readonly [number, ...string[]])[] = [
        [67],
        [68],
        // Joining a group announces it, which only a filter stops.
        ...(hasNft
          ? ([
              [5353, '224.0.0.251', own.address],
              [5355, '224.0.0.252', own.address],
            ] as const)
          : []),
      ];
      const sockets = await Promise.all(
        services.map(([service, ...groups]) => startVxlanSender(node.namespace, '0.0.0.0', service, port, groups)),
      );
      return {
        arrived: async () => (await Promise.all(sockets.map((socket) => socket.received()))).flat().length,
        end: async () => {
          await Promise.all(sockets.map((socket) => socket.end()));
        },
      };
    }

    it.each([1400, 1279, 576])(
      'an interface with MTU %i sends and accepts nothing that the slice did not ask for',
      async (mtu) => {
        // As on a node that offers all of it to new interfaces.
        for (const [file, value] of defaults) setSetting(file, value);
        await node.apply(everything(mtu));
        const services = await openServices();
        for (const [end, namespace] of [
          [own, node.namespace],
          [inner, router],
        ] as const) {
          await far.send(nodeAddress, end.vni, frames(end));
          await fence(end);
          expect.soft(ipv6Of(namespace)).toEqual([]);
          expect.soft(node.ip('route show cache', namespace)).toBe('');
        }
        expect.soft(await services.arrived()).toBe(0);
        await services.end();
        expect(await unasked()).toEqual([]);
        await node.apply(nothing());
      },
    );

    it('an interface made by an agent of an earlier version gets the same, and loses no packet by it', async () => {
      for (const [file, value] of defaults) setSetting(file, value);
      await node.apply(everything());
      node.ip(`link set ${own.interface} multicast on`);
      node.ip(`link set ${inner.interface} arp on`, router);
      node.ip(`neighbour replace ${inner.far} lladdr ${inner.farMac} dev ${inner.interface} nud permanent`, router);
      for (const [setting, value] of earlier) setSetting(setting, value);
      if (hasNft) nft(`delete table inet ${table}`);
      const { differences } = await node.client().call('apply', { operations: everything(), dryRun: true });
      const ofRouter = { kind: 'setting', name: `ipv4/conf/${inner.interface}/arp_ignore`, namespace: router };
      expect(differences).toEqual([
        { kind: 'interface', name: own.interface, wanted: 'multicast off', found: 'multicast on' },
        ...earlier.map(([name, found]) => ({
          kind: 'setting',
          name,
          wanted: name.endsWith('ipv6') ? '1' : '0',
          found,
        })),
        { ...ofRouter, wanted: '8', found: '0' },
        ...(hasNft ? [{ kind: 'filter', name: 'rules', wanted: 'complete', found: null }] : []),
      ]);
      const neighbours = node.ip('-4 neighbour show nud permanent');
      const before = (await answers()).length;
      const flow = far.send(
        nodeAddress,
        own.vni,
        Array.from({ length: 3000 }, (_, index) => echoTo(own, 10_000 + index)),
      );
      await node.apply(everything());
      await flow;
      await fence(own);
      expect((await answers()).length).toBe(before + 3000 + 1);
      expect(node.ip('-4 neighbour show nud permanent')).toBe(neighbours);
      // What it sent before, while it had IPv6.
      const sent = await unasked();
      for (const end of [own, inner]) {
        await far.send(nodeAddress, end.vni, frames(end));
        await fence(end);
      }
      expect(ipv6Of(node.namespace)).toEqual([]);
      expect(await unasked()).toEqual(sent);
      expect(await node.apply(everything())).toEqual(everything().map(() => 'unchanged'));
      await node.apply(nothing());
    });

    it('an interface has a filter if the node can filter; otherwise the agent says why not', async () => {
      const { features } = await node.client().call('hello', {});
      const detail = "tunnel packets are accepted from any sender: there is no 'nft' (package nftables)";
      expect(features.find(({ name }) => name === 'tunnel-filter')).toEqual({
        name: 'tunnel-filter',
        available: hasNft,
        ...(hasNft ? {} : { detail }),
      });
      await node.apply(everything());
      expect(nft('list tables')).toBe(hasNft ? `table inet ${table}\n` : '');
      await node.apply(nothing());
      expect(nft('list tables')).toBe('');
    });

    it('an interface keeps its settings when its MTU changes so far that the kernel gives it IPv6 again', async () => {
      await node.apply(everything(1200));
      const ipv6 = () => setting(`ipv6/conf/${own.interface}/disable_ipv6`);
      expect(ipv6).toThrow('No such file');
      const [tunnel] = up(own, 1400);
      await node.apply([tunnel!]);
      expect(ipv6()).toBe('1');
      const failing: OperationInput = { op: 'nexthop_up', id: 65_999, via: '10.65.0.99', interface: 'pv001-down' };
      const down: OperationInput = { ...tunnel, interface: 'pv001-down', vni: 5000, mac: mac(9) } as OperationInput;
      await expect(node.apply([up(own, 1200)[0]!, down, failing])).rejects.toMatchObject({ code: 'failed' });
      expect(ipv6()).toBe('1');
      expect(ipv6Of(node.namespace)).toEqual([]);
      await node.apply(nothing());
    });

    const table = 'pl-vnm-pv001-tunnels';
    /** What a node may set on new interfaces. */
    const defaults = [
      ['ipv6/conf/default/accept_ra', '2'],
      ['ipv6/conf/default/forwarding', '1'],
      ['ipv4/conf/default/accept_redirects', '1'],
      ['ipv4/conf/default/proxy_arp', '1'],
      ['ipv4/conf/default/arp_notify', '1'],
      ['ipv4/conf/default/arp_accept', '1'],
      ['ipv4/conf/default/accept_local', '1'],
    ] as const;
    const earlier = [
      [`ipv4/conf/${own.interface}/accept_redirects`, '1'],
      [`ipv4/conf/${own.interface}/send_redirects`, '1'],
      [`ipv6/conf/${own.interface}/disable_ipv6`, '0'],
    ] as const;

    async function answers(): Promise<Buffer[]> {
      return (await far.received()).filter((frame) => echoReply(frame) !== undefined);
    }

    function inNode(...command: string[]): string {
      return execFileSync('nsenter', [`--net=/run/netns/${node.namespace}`, ...command], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
    }
    function nft(words: string): string {
      return inNode('nft', ...words.split(' '));
    }
    function setting(file: string): string {
      return inNode('cat', `/proc/sys/net/${file}`).trim();
    }
    function setSetting(file: string, value: string): void {
      execFileSync('nsenter', [`--net=/run/netns/${node.namespace}`, 'tee', `/proc/sys/net/${file}`], { input: value });
    }
  }),
);
