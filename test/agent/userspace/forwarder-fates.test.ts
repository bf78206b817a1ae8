/** What becomes of a packet that a router does not just pass on. */
import { describe, expect, it } from 'vitest';
import { headroom } from '../../../src/agent/dataplane/userspace/forwarder.ts';
import type { OperationInput } from '../../../src/vsys/operations.ts';
import { forwardingOf, key, packetOf, route, router, tunnel, withChecksum } from './forwarding.ts';

const host = '10.65.100.1';
const far = '10.65.101.1';

/** A host behind tunnel 0, networks behind tunnel 1, whose link carries less. */
function routerOf(...more: OperationInput[]) {
  const hosts = [route('10.65.100.0/24', [0]), route('10.65.101.0/24', [1])];
  return forwardingOf(...tunnel(0), ...tunnel(1, { mtu: 1300 }), ...hosts, ...more);
}

const timeExceeded = [11, 0, 0];
const unreachable = (code: number, rest = 0) => [3, code, rest];
const answer = (icmp: readonly number[]) => ({ tunnel: 0, from: '10.65.0.1', to: host, ttl: 64, icmp });

describe('a router', () => {
  it('passes a packet on with a smaller TTL, and counts it at both interfaces', () => {
    const { arrive, sent, drops, forwarder } = routerOf();
    arrive(0, packetOf({ from: host, to: far, text: 'hello' }));
    expect(sent).toEqual([{ tunnel: 1, from: host, to: far, ttl: 63, text: 'hello' }]);
    expect(drops()).toEqual({});
    const traffic = (name: string) => forwarder.tables().port({ namespace: router, name })!.traffic;
    const none = { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0 };
    expect(traffic('pv001-t0')).toEqual({ ...none, receivedPackets: 1, receivedBytes: 33 });
    expect(traffic('pv001-t1')).toEqual({ ...none, sentPackets: 1, sentBytes: 33 });
  });

  it('passes on the packet alone where bytes follow it', () => {
    const { arrive, sent } = routerOf();
    arrive(0, Buffer.concat([packetOf({ from: host, to: far, text: 'hello' }), Buffer.from('padding')]));
    expect(sent).toMatchObject([{ text: 'hello' }]);
  });

  it('delivers what is for it, whatever the TTL', () => {
    const { arrive, sent, delivered } = routerOf();
    arrive(0, packetOf({ from: host, to: '10.65.1.1', ttl: 1, text: 'hello' }));
    expect(delivered).toEqual([{ namespace: router, from: host, to: '10.65.1.1', ttl: 1, text: 'hello' }]);
    expect(sent).toEqual([]);
  });

  it.each([0, 1])('answers a packet with a TTL of %i by ICMP', (ttl) => {
    const { arrive, sent, drops } = routerOf();
    arrive(0, packetOf({ from: host, to: far, ttl }));
    expect(sent).toEqual([answer(timeExceeded)]);
    expect(drops()).toEqual({ 'ttl-exceeded': 1 });
  });

  it.each([
    ['unreachable', { unreachable: 1 }, [answer(unreachable(1))]],
    ['prohibit', { prohibited: 1 }, [answer(unreachable(13))]],
    ['blackhole', { blackhole: 1 }, []],
  ])('answers by the type of the route: %s', (type, dropped, answers) => {
    const { arrive, sent, drops } = routerOf(route('10.65.102.0/24', type));
    arrive(0, packetOf({ from: host, to: '10.65.102.1' }));
    expect(sent).toEqual(answers);
    expect(drops()).toEqual(dropped);
  });

  it('answers by ICMP where it has no route', () => {
    const { arrive, sent, drops } = routerOf();
    arrive(0, packetOf({ from: host, to: '10.65.103.1' }));
    expect(sent).toEqual([answer(unreachable(0))]);
    expect(drops()).toEqual({ 'no-route': 1 });
  });

  it('answers a packet that is too big and must not be fragmented with the MTU', () => {
    const { arrive, sent, drops } = routerOf();
    arrive(0, packetOf({ from: host, to: far, bytes: 1300 }));
    expect(sent).toMatchObject([{ tunnel: 1 }]);
    arrive(0, packetOf({ from: host, to: far, bytes: 1301 }));
    expect(sent.slice(1)).toEqual([answer(unreachable(4, 1300))]);
    expect(drops()).toEqual({ 'too-big': 1 });
  });

  it('drops a packet that is too big and would have to be fragmented', () => {
    const { arrive, sent, drops } = routerOf();
    arrive(0, packetOf({ from: host, to: far, bytes: 1301, dontFragment: false }));
    expect(sent).toEqual([]);
    expect(drops()).toEqual({ 'too-big': 1 });
  });

  it('passes fragments on as they are, also those without a header of UDP', () => {
    const { arrive, sent, drops } = routerOf();
    for (const [flagsAndOffset, text] of [
      [0x2000, 'first'],
      [0x2019, 'middle'],
      [0x0032, 'last'],
    ] as const) {
      const packet = packetOf({ from: host, to: far, text });
      packet.writeUInt16BE(flagsAndOffset, headroom + 6);
      arrive(0, withChecksum(packet));
    }
    expect(sent).toMatchObject(['first', 'middle', 'last'].map((text) => ({ tunnel: 1, ttl: 63, text })));
    expect(drops()).toEqual({});
  });

  it('does not answer a later fragment by an error', () => {
    const { arrive, sent, drops } = routerOf();
    const packet = packetOf({ from: host, to: far, bytes: 1301 });
    packet.writeUInt16BE(0x4032, headroom + 6);
    arrive(0, withChecksum(packet));
    expect(sent).toEqual([]);
    expect(drops()).toEqual({ 'too-big': 1 });
  });

  it('does not answer an ICMP error by another', () => {
    const { arrive, sent, drops } = routerOf();
    const error = packetOf({ from: host, to: far, ttl: 1, protocol: 1 });
    error[32] = 3;
    arrive(0, error);
    expect(sent).toEqual([]);
    expect(drops()).toEqual({ 'ttl-exceeded': 1 });
  });

  it('drops what arrives by an interface, or would leave by one, that is down', () => {
    const place = { op: 'tunnel_up', kind: 'udp', namespace: router, instance: 3, key, mtu: 1400 } as const;
    const down = { ...place, interface: 'pv001-t2', vni: 4099, remote: '192.0.2.3', port: 4003 };
    const { arrive, sent, drops } = routerOf(down, route('10.65.102.0/24', [2]));
    arrive(2, packetOf({ from: far, to: host }));
    expect(sent).toEqual([]);
    arrive(0, packetOf({ from: host, to: '10.65.102.1' }));
    expect(sent).toEqual([answer(unreachable(1))]);
    expect(drops()).toEqual({ 'interface-down': 2 });
  });
});

describe('a loop of routes over pairs of interfaces', () => {
  const mac = (last: number) => `02:50:0a:41:00:0${last}`;

  it('ends by the TTL, and is answered once', () => {
    const other = { interface: 'pv001-b', namespace: 'n_s', mac: mac(2) };
    const back = (prefix: string): OperationInput => {
      return { op: 'vroute', action: 'add', namespace: 'n_s', prefix, nexthops: [{ interface: 'pv001-b' }] };
    };
    const { arrive, sent, drops } = forwardingOf(
      { op: 'netns_up', namespace: router, urpf: 'loose' },
      { op: 'netns_up', namespace: 'n_s', urpf: 'loose' },
      ...tunnel(0),
      { op: 'tunnel_up', kind: 'local', interface: 'pv001-a', namespace: router, mac: mac(1), mtu: 1400, peer: other },
      {
        ...{ op: 'vif_up', interface: 'pv001-a', namespace: router },
        ...{ address: '10.65.8.1', peer: { address: '10.65.8.2', mac: mac(2) } },
      },
      {
        ...{ op: 'vif_up', interface: 'pv001-b', namespace: 'n_s' },
        ...{ address: '10.65.8.2', peer: { address: '10.65.8.1', mac: mac(1) } },
      },
      route('10.65.100.0/24', [0]),
      {
        op: 'vroute',
        action: 'add',
        namespace: router,
        prefix: '10.65.101.0/24',
        nexthops: [{ interface: 'pv001-a' }],
      },
      back('10.65.101.0/24'),
      back('10.65.100.0/24'),
    );
    arrive(0, packetOf({ from: host, to: far, ttl: 64 }));
    expect(drops()).toEqual({ 'ttl-exceeded': 1 });
    expect(sent).toMatchObject([{ tunnel: 0, to: host, icmp: timeExceeded }]);
  });
});
