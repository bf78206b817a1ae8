/** The JSON of `ip -N -details`, as a kernel printed it, and how it is parsed. */
import { describe, expect, it } from 'vitest';
import { parseFailures } from '../../src/agent/dataplane/kernel/ip.ts';
import { parseLink, parseNexthops, parseRoutes, ruleDirection } from '../../src/agent/dataplane/kernel/parse.ts';

const common = { protocol: '246', scope: '0', flags: [] };

describe('parseRoutes', () => {
  const single = { type: '1', dst: '10.65.9.0/24', gateway: '10.65.0.2', dev: 'pv001-a', ...common, flags: ['onlink'] };
  const parsed = { prefix: '10.65.9.0/24', type: 'unicast', protocol: 246, table: 50_001, onlink: true };

  it('parseRoutes reads a route with a gateway, a metric and a source', () => {
    const json = { ...single, metric: 5, prefsrc: '10.65.0.1', table: '50001' };
    expect([...parseRoutes([json], 254, true)]).toEqual([
      [
        '50001 10.65.9.0/24 5',
        {
          ...parsed,
          metric: 5,
          source: '10.65.0.1',
          nexthops: [{ interface: 'pv001-a', via: '10.65.0.2', weight: 1 }],
        },
      ],
    ]);
  });

  it('parseRoutes writes hosts and the default route as prefixes', () => {
    const list = ['default', '10.65.0.2'].map((dst) => ({ ...single, dst }));
    expect([...parseRoutes(list, 254, true).keys()]).toEqual(['254 0.0.0.0/0 0', '254 10.65.0.2/32 0']);
  });

  it('parseRoutes reads several next hops', () => {
    const nexthops = [
      { gateway: '10.65.0.2', dev: 'pv001-a', weight: 3, flags: [] },
      { dev: 'pv001-b', weight: 1, flags: [] },
    ];
    const [route] = parseRoutes([{ type: '1', dst: '10.65.9.0/24', ...common, nexthops }], 254, true).values();
    expect(route).toMatchObject({
      nexthops: [
        { interface: 'pv001-a', via: '10.65.0.2', weight: 3 },
        { interface: 'pv001-b', weight: 1 },
      ],
      onlink: false,
    });
  });

  it('parseRoutes keeps the id of a nexthop object, or returns the next hops that it stands for', () => {
    const json = { ...single, nhid: 65_540 };
    expect([...parseRoutes([json], 254, true).values()]).toMatchObject([{ nexthops: [], nexthopId: 65_540 }]);
    const [resolved] = parseRoutes([json], 254, false).values();
    expect(resolved).toMatchObject({ nexthops: [{ interface: 'pv001-a', via: '10.65.0.2', weight: 1 }] });
    expect(resolved).not.toHaveProperty('nexthopId');
  });

  it('parseRoutes keeps all of several entries for one prefix, and omits local and broadcast ones', () => {
    const list = [single, { ...single, type: '2' }, { ...single, type: '3' }, { ...single, type: '8' }];
    const routes = parseRoutes(list, 254, true);
    expect([...routes].map(([key, { type }]) => [key, type])).toEqual([
      ['254 10.65.9.0/24 0', 'unicast'],
      ['254 10.65.9.0/24 0 again', 'prohibit'],
    ]);
  });
});

describe('parseLink', () => {
  it('parseLink reads a VXLAN with its addresses and permanent neighbours', () => {
    const json = {
      ifindex: 7,
      ifname: 'pv001-a',
      flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
      mtu: 1400,
      address: '02:50:0a:41:00:01',
      linkinfo: { info_kind: 'vxlan', info_data: { id: 4097, remote: '192.0.2.9', port: 4790 } },
      addr_info: [
        { family: 'inet', local: '10.65.0.1', prefixlen: 32, noprefixroute: true },
        { family: 'inet', local: '10.65.7.1', prefixlen: 24, broadcast: '10.65.7.255' },
        { family: 'inet6', local: 'fe80::1', prefixlen: 64 },
      ],
    };
    const neighbours = [
      { dst: '10.65.0.2', dev: 'pv001-a', lladdr: '02:50:0a:41:00:02' },
      { dst: 'fe80::2', dev: 'pv001-a', lladdr: '02:50:0a:41:00:02' },
      { dst: '10.65.0.3', dev: 'pv001-b', lladdr: '02:50:0a:41:00:03' },
    ];
    expect(parseLink(json, neighbours)).toEqual({
      name: 'pv001-a',
      kind: 'vxlan',
      hook: false,
      up: true,
      arp: true,
      multicast: true,
      mtu: 1400,
      mac: '02:50:0a:41:00:01',
      vxlan: { vni: 4097, remote: '192.0.2.9', port: 4790 },
      addresses: [
        { address: '10.65.0.1', length: 32, bare: true },
        { address: '10.65.7.1', length: 24, broadcast: '10.65.7.255', bare: false },
      ],
      neighbours: [{ address: '10.65.0.2', mac: '02:50:0a:41:00:02' }],
    });
  });

  it('parseLink reads that an interface neither uses ARP nor takes multicast packets', () => {
    const json = { ifindex: 1, ifname: 'x', mtu: 1500, flags: ['BROADCAST', 'NOARP', 'UP'] };
    const link = parseLink(json, []);
    expect([link.arp, link.multicast]).toEqual([undefined, undefined]);
  });

  it('parseLink distinguishes the loopback interface, hardware and created devices', () => {
    const json = { ifindex: 1, ifname: 'x', mtu: 1500 };
    expect(parseLink({ ...json, flags: ['LOOPBACK'] }, [])).toMatchObject({ kind: 'loopback', up: false });
    expect(parseLink({ ...json, flags: ['BROADCAST'] }, [])).toMatchObject({ kind: '' });
  });
});

describe('parseNexthops', () => {
  const single = (id: number, last: number) => ({ id, gateway: `10.65.0.${last}`, dev: 'pv001-a', flags: ['onlink'] });
  const way = (last: number) => ({ via: `10.65.0.${last}`, interface: 'pv001-a', onlink: true });
  const [group, lead] = [0x8001, 0xc001];

  it('parseNexthops reads single nexthops, and groups with their lead', () => {
    const entries = [
      { id: lead, weight: 255 },
      { id: 5, weight: 1 },
      { id: 6, weight: 1 },
    ];
    const json = [single(5, 2), single(6, 4), single(lead, 4), { id: group, group: entries, type: 'resilient' }];
    expect([...parseNexthops(json)]).toEqual([
      [5, { id: 5, ...way(2) }],
      [6, { id: 6, ...way(4) }],
      [group, { id: group, members: [5, 6], active: 6, lead: way(4), entries, resilient: true }],
    ]);
  });

  it('parseNexthops finds the only accepted member of a group by its way, if that is known', () => {
    const found = (last: number) =>
      parseNexthops([single(5, 2), single(lead, last), { id: group, group: [{ id: lead }] }]).get(group);
    expect(found(2)).toMatchObject({ members: [5], active: 5, lead: way(2), resilient: false });
    expect(found(9)).toEqual({
      id: group,
      members: [],
      lead: way(9),
      entries: [{ id: lead, weight: 1 }],
      resilient: false,
    });
  });

  it('parseNexthops uses the weights of a group without a lead', () => {
    const entries = [{ id: 5 }, { id: 6, weight: 3 }];
    const nexthops = parseNexthops([single(5, 2), single(6, 4), single(lead, 2), { id: group, group: entries }]);
    expect(nexthops.get(group)).toMatchObject({ members: [5, 6], active: 6 });
    expect(nexthops.get(group)).not.toHaveProperty('lead');
    expect(nexthops.get(lead)).toEqual({ id: lead, ...way(2) });
  });
});

describe('ruleDirection', () => {
  const rule = { priority: 10_001, src: 'all', table: '50001' };
  it.each([
    [{ ...rule, src: '10.65.0.0', srclen: 16 }, 'from'],
    [{ ...rule, dst: '10.65.0.0', dstlen: 16 }, 'to'],
    [{ ...rule, src: '10.65.0.0', srclen: 24 }, undefined],
    [{ ...rule, src: '10.65.0.0', srclen: 16, dst: '10.65.0.0', dstlen: 16 }, undefined],
    [{ ...rule, src: '10.65.0.0', srclen: 16, table: '254' }, undefined],
    [rule, undefined],
  ])('ruleDirection of %j is %s', (json, direction) => {
    expect(ruleDirection(json, '10.65.0.0/16', 50_001)).toBe(direction);
  });
});

describe('parseFailures', () => {
  it('parseFailures finds the lines that failed and the reasons', () => {
    const stderr =
      'RTNETLINK answers: File exists\nCommand failed -:3\n' +
      'Error: TC classifier not found.\nWe have an error talking to the kernel\nCommand failed -:10\n' +
      'Cannot find device "x"\nCommand failed -:11\n';
    expect(parseFailures(stderr)).toEqual([
      { line: 2, words: 'File exists' },
      { line: 9, words: 'TC classifier not found' },
      { line: 10, words: 'Cannot find device "x"' },
    ]);
    expect(parseFailures('')).toEqual([]);
  });
});
