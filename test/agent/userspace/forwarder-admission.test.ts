/** Which datagrams and packets a router takes at all. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dropReasons } from '../../../src/agent/dataplane/userspace/counters.ts';
import { encodeTunnelHeader } from '../../../src/agent/dataplane/userspace/header.ts';
import type { OperationInput } from '../../../src/vsys/operations.ts';
import { forwardingOf, key, packetOf, route, router, tunnel, withChecksum } from './forwarding.ts';

const host = '10.65.100.1';
const far = '10.65.101.1';
const sender = { remote: '192.0.2.1', port: 4001 };
const ends = { instance: 3, vni: 4097, key };

const routerOf = () =>
  forwardingOf(...tunnel(0), ...tunnel(1), route('10.65.100.0/24', [0]), route('10.65.101.0/24', [1]));

describe('a datagram', () => {
  it.each([
    ['of a tunnel that does not exist', { ...ends, vni: 5000 }, 'unknown-tunnel'],
    ['of another instance', { ...ends, instance: 4 }, 'wrong-key'],
    ['with another key', { ...ends, key: 'fedcba9876543210' }, 'wrong-key'],
  ])('%s is dropped', (_, header, reason) => {
    const { forwarder, sent, drops } = routerOf();
    const packet = packetOf({ from: host, to: far });
    encodeTunnelHeader(header).copy(packet);
    forwarder.receive(packet, sender.remote, sender.port);
    expect(sent).toEqual([]);
    expect(drops()).toEqual({ [reason]: 1 });
  });

  it.each([
    ['address', { ...sender, remote: '192.0.2.9' }],
    ['port', { ...sender, port: 4009 }],
  ])('from another %s than its tunnel has is dropped', (_, from) => {
    const { arrive, sent, drops } = routerOf();
    arrive(0, packetOf({ from: host, to: far }), from);
    expect(sent).toEqual([]);
    expect(drops()).toEqual({ 'wrong-source': 1 });
  });
});

describe('random bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 200, size: 'max' }).map((all) => Buffer.from(all));

  it('are counted as datagrams that are none', () => {
    const { forwarder, sent, drops } = routerOf();
    let count = 0;
    fc.assert(
      fc.property(bytes, (datagram) => {
        forwarder.receive(datagram, sender.remote, sender.port);
        count += 1;
      }),
    );
    expect(sent).toEqual([]);
    expect(Object.values(drops()).reduce((sum, dropped) => sum + dropped, 0)).toBe(count);
  });

  it('in a tunnel, are dropped for one reason, forwarded, or delivered', () => {
    const { forwarder, arrive, sent, delivered, counters } = routerOf();
    const total = () => dropReasons.reduce((sum, reason) => sum + counters.drops[reason], 0);
    fc.assert(
      fc.property(bytes, fc.boolean(), (random, isPlausible) => {
        const packet = Buffer.concat([packetOf({ from: host, to: far }).subarray(0, 12), random]);
        if (isPlausible && packet.length >= 32) {
          packet[12] = 0x45;
          packet.writeUInt16BE(packet.length - 12, 14);
          packetOf({ from: host, to: far }).copy(packet, 24, 24, 32);
          withChecksum(packet);
        }
        const before = [total(), sent.length, delivered.length] as const;
        arrive(0, packet);
        const dropped = total() - before[0];
        const others = sent.length - before[1] + (delivered.length - before[2]);
        // What is dropped may be answered by an ICMP error.
        if (dropped === 1) expect(others).toBeLessThanOrEqual(1);
        else expect([dropped, others]).toEqual([0, 1]);
      }),
      { numRuns: 1000 },
    );

    expect(forwarder.tables().port({ namespace: router, name: 'pv001-t1' })!.traffic.sentPackets).toBeGreaterThan(0);
  });
});

describe('the reverse-path check', () => {
  const group = 65_540;
  const members = [65_536, 65_537];
  const own = { namespace: '' };
  const fromHost = { from: host, to: '10.65.0.1' };

  it('in a router: strict takes a source only by the interface that leads to it', () => {
    const { arrive, delivered, drops } = routerOf();
    arrive(0, packetOf({ from: host, to: '10.65.0.1' }));
    arrive(1, packetOf({ from: host, to: '10.65.0.1' }));
    arrive(1, packetOf({ from: '10.65.200.1', to: '10.65.0.1' }));
    expect(delivered).toHaveLength(1);
    expect(drops()).toEqual({ 'reverse-path': 2 });
  });

  it('in a router: strict takes a source by each of several ways', () => {
    const both = route('10.65.100.0/24', [0, 1]);
    const { arrive, delivered } = forwardingOf(...tunnel(0), ...tunnel(1), ...tunnel(2), both);
    for (const index of [0, 1, 2]) arrive(index, packetOf({ from: host, to: '10.65.0.1' }));
    expect(delivered).toHaveLength(2);
  });

  it('in a router: loose takes a source that any route leads to, unless that rejects', () => {
    const loose: OperationInput = { op: 'netns_up', namespace: router, urpf: 'loose' };
    const rejects = route('10.65.102.0/24', 'blackhole');
    const { arrive, delivered, drops } = forwardingOf(
      loose,
      ...tunnel(0),
      ...tunnel(1),
      route('10.65.100.0/24', [0]),
      rejects,
    );
    for (const from of [host, '10.65.102.1', '10.65.200.1']) arrive(1, packetOf({ from, to: '10.65.0.1' }));
    expect(delivered).toMatchObject([{ from: host }]);
    expect(drops()).toEqual({ 'reverse-path': 2 });
  });

  /** Two ways to a peer, of which the first is active. */
  const peer = (resilient: boolean, urpf: 'strict' | 'loose', only = members): OperationInput[] => [
    { op: 'rule_up' },
    ...[0, 1].flatMap((index): OperationInput[] => [
      ...tunnel(index, { ...own, urpf }),
      { op: 'nexthop_up', id: members[index]!, via: `10.65.${index}.2`, interface: `pv001-t${index}` },
    ]),
    { op: 'group_up', id: group, members: only, active: members[0]!, resilient },
    { op: 'vroute', action: 'add', prefix: '10.65.100.0/24', nexthopId: group },
  ];

  it.each([
    ['strict takes packets by the active way only', peer(false, 'strict'), [0], [1]],
    ['feasible takes packets by every member', peer(true, 'strict'), [0, 1], [0, 1]],
    ['feasible takes packets by no other way', peer(true, 'strict', [members[0]!]), [0], [1]],
    ['loose takes packets by every way', peer(false, 'loose'), [0, 1], [0, 1]],
  ])('of a group: %s, and follows a flip', (_, operations, before, after) => {
    const { arrive, flip, delivered } = forwardingOf(...operations);
    const accepted = () =>
      [0, 1].filter((index) => {
        const count = delivered.length;
        arrive(index, packetOf(fromHost));
        return delivered.length > count;
      });
    expect(accepted()).toEqual(before);
    flip(`group ${group}`, members[1]!);
    expect(accepted()).toEqual(after);
  });
});
