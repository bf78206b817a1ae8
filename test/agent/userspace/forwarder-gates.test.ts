/** Gates, and the ways of groups, as armed actions change them. */
import { describe, expect, it } from 'vitest';
import type { OperationInput } from '../../../src/vsys/operations.ts';
import { forwardingOf, packetOf, tunnel } from './forwarding.ts';

const [host, far] = ['10.65.100.1', '10.65.101.1'];
const group = 65_540;
const members = [65_536, 65_537];
const gate = 'gate pv001-t0.ifb';
const [closed, open] = [1, 0];

/** A node between a host, at the gated tunnel 0, and a peer behind two ways, tunnels 1 and 2. */
function gateway() {
  const ways = [1, 2].flatMap((index): OperationInput[] => [
    ...tunnel(index, { namespace: '' }),
    { op: 'nexthop_up', id: members[index - 1]!, via: `10.65.${index}.2`, interface: `pv001-t${index}` },
  ]);
  const node = forwardingOf(
    { op: 'rule_up' },
    ...tunnel(0, { namespace: '' }),
    { op: 'vroute', action: 'add', prefix: '10.65.100.0/24', nexthops: [{ interface: 'pv001-t0', via: '10.65.0.2' }] },
    ...ways,
    { op: 'group_up', id: group, members, active: members[0]!, resilient: true },
    { op: 'vroute', action: 'add', prefix: '10.65.101.0/24', nexthopId: group },
    { op: 'gate_up', interface: 'pv001-t0', limitBytes: 10_000 },
  );
  return {
    ...node,
    send: (text: string) => node.arrive(0, packetOf({ from: host, to: far, text })),
    /** What has left, each with its tunnel. */
    left: () => node.sent.map((packet) => `${packet.text} by ${packet.tunnel}`),
  };
}

describe('a gate', () => {
  it('passes packets while it is open', () => {
    const { send, left } = gateway();
    send('a');
    expect(left()).toEqual(['a by 1']);
  });

  it('holds packets while it is closed, and releases them in order when it is opened', () => {
    const { send, left, flip, forwarder } = gateway();
    flip(gate, closed);
    for (const text of ['a', 'b', 'c']) send(text);
    forwarder.releaseHeld();
    expect(left()).toEqual([]);
    flip(gate, open);
    forwarder.releaseHeld();
    expect(left()).toEqual(['a by 1', 'b by 1', 'c by 1']);
  });

  it('lets no packet overtake that arrives between opening and releasing', () => {
    const { send, left, flip, forwarder } = gateway();
    flip(gate, closed);
    send('a');
    send('b');
    flip(gate, open);
    send('c');
    expect(left()).toEqual(['a by 1', 'b by 1', 'c by 1']);
    forwarder.releaseHeld();
    expect(left()).toHaveLength(3);
  });

  it('holds packets again in order when it closes again before they were released', () => {
    const { send, left, flip, forwarder } = gateway();
    flip(gate, closed);
    send('a');
    flip(gate, open);
    flip(gate, closed);
    send('b');
    expect(left()).toEqual([]);
    flip(gate, open);
    forwarder.releaseHeld();
    expect(left()).toEqual(['a by 1', 'b by 1']);
  });

  it('sends what it held by the way that is active when it is opened', () => {
    const { send, left, flip, forwarder } = gateway();
    flip(gate, closed);
    send('a');
    flip(`group ${group}`, members[1]!);
    flip(gate, open);
    forwarder.releaseHeld();
    send('b');
    expect(left()).toEqual(['a by 2', 'b by 2']);
  });

  it('holds no more bytes than its limit, and counts the rest', () => {
    const { send, left, flip, forwarder, drops } = gateway();
    const { limitBytes } = forwarder.tables().port({ namespace: '', name: 'pv001-t0' })!.gate!;
    const text = 'x'.repeat(1000 - 28);
    const room = Math.floor(limitBytes / 1000);
    for (const round of [1, 2]) {
      flip(gate, closed);
      for (let count = 0; count < room + 3; count += 1) send(text);
      expect(drops()).toEqual({ 'gate-full': 3 * round });
      flip(gate, open);
      forwarder.releaseHeld();
      expect(left()).toHaveLength(room * round);
    }
  });

  it('counts each packet that it held once', () => {
    const { send, flip, forwarder } = gateway();
    flip(gate, closed);
    send('a');
    flip(gate, open);
    forwarder.releaseHeld();
    const { traffic } = forwarder.tables().port({ namespace: '', name: 'pv001-t0' })!;
    expect(traffic).toMatchObject({ receivedPackets: 1, receivedBytes: 29 });
  });

  it('releases what it held when it is removed', () => {
    const { send, left, flip, apply } = gateway();
    flip(gate, closed);
    send('a');
    apply({ op: 'gate_down', interface: 'pv001-t0' });
    send('b');
    expect(left()).toEqual(['a by 1', 'b by 1']);
  });

  it('keeps what it holds when other things change', () => {
    const { send, left, flip, apply, forwarder } = gateway();
    flip(gate, closed);
    send('a');
    apply({ op: 'vroute', action: 'add', prefix: '10.65.102.0/24', type: 'blackhole' });
    expect(left()).toEqual([]);
    flip(gate, open);
    forwarder.releaseHeld();
    expect(left()).toEqual(['a by 1']);
  });

  it('drops what it held when its interface is removed, and counts that', () => {
    const { send, left, flip, apply, drops } = gateway();
    flip(gate, closed);
    send('a');
    apply({ op: 'gate_down', interface: 'pv001-t0' }, { op: 'tunnel_down', interface: 'pv001-t0' });
    expect(left()).toEqual([]);
    expect(drops()).toEqual({ 'interface-down': 1 });
  });
});

describe('a group', () => {
  it('sends all packets by the way that a flip makes active, from the next one on', () => {
    const { send, left, flip } = gateway();
    send('a');
    flip(`group ${group}`, members[1]!);
    send('b');
    flip(`group ${group}`, members[0]!);
    send('c');
    expect(left()).toEqual(['a by 1', 'b by 2', 'c by 1']);
  });

  it('keeps its flip when other things change', () => {
    const { send, left, flip, apply } = gateway();
    flip(`group ${group}`, members[1]!);
    apply({ op: 'vroute', action: 'add', prefix: '10.65.102.0/24', type: 'blackhole' });
    send('a');
    expect(left()).toEqual(['a by 2']);
  });
});
