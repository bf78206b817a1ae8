import { describe, expect, it } from 'vitest';
import { findCollisions } from '../../src/agent/dataplane/kernel/collisions.ts';
import { type NodeNetwork, parsePeers } from '../../src/agent/dataplane/kernel/node-network.ts';
import type { LinkJson, RouteJson, RuleJson } from '../../src/agent/dataplane/kernel/parse.ts';
import type { OtherSlice } from '../../src/agent/other-slices.ts';
import { parsePrefix } from '../../src/model/address.ts';
import { collisionError, describeCollision } from '../../src/vsys/collision.ts';
import { policySchema } from '../../src/vsys/policy.ts';

const policy = policySchema.parse({
  slice: 'office',
  vnet: '10.70.0.0/16',
  interfacePrefix: 'pv001-',
  namespacePrefix: 'pv-office_',
  table: 50_001,
  rulePriority: 10_001,
  nexthops: { first: 65_536, last: 131_071 },
  vnis: { first: 4096, last: 8191 },
});

const link = (ifname: string, rest: Partial<LinkJson> = {}): LinkJson => {
  return { ifindex: 2, ifname, flags: ['UP'], mtu: 1500, ...rest };
};
const address = (local: string, prefixlen = 24, peer?: string) => ({
  addr_info: [{ family: 'inet', local, prefixlen, ...(peer === undefined ? {} : { address: peer }) }],
});
const route = (dst: string, rest: Partial<RouteJson> = {}): RouteJson => {
  return { type: '1', dst, table: '254', protocol: '3', dev: 'eth0', ...rest };
};
const rule = (rest: Partial<RuleJson>): RuleJson => ({ priority: 500, src: 'all', table: '100', ...rest });

function found(network: Partial<NodeNetwork>, others: readonly OtherSlice[] = []): string[] {
  const whole = { links: [], routerLinks: [], routes: [], rules: [], peers: [], ...network };
  return findCollisions(policy, whole, others).map(describeCollision);
}

describe('findCollisions', () => {
  it.each<[string, Partial<NodeNetwork>, string[]]>([
    ['an address', { links: [link('eth0', address('10.70.1.1'))] }, ["address 10.70.1.1/24 of interface 'eth0'"]],
    [
      'the other end of a point-to-point address',
      { links: [link('tun0', address('10.8.0.1', 32, '10.70.1.1'))] },
      ["peer address 10.70.1.1 of interface 'tun0'"],
    ],
    ['a network inside', { routes: [route('10.70.3.0/24')] }, ["route 10.70.3.0/24 (table main, interface 'eth0')"]],
    ['a network around it', { routes: [route('10.0.0.0/8')] }, ["route 10.0.0.0/8 (table main, interface 'eth0')"]],
    ['a host', { routes: [route('10.70.3.4')] }, ["route 10.70.3.4/32 (table main, interface 'eth0')"]],
    [
      'a route of another table',
      { routes: [route('10.70.0.0/16', { table: '77', dev: 'vpn0' })] },
      ["route 10.70.0.0/16 (table 77, interface 'vpn0')"],
    ],
    [
      'a route of several next hops',
      { routes: [route('10.70.0.0/17', { nexthops: [{ dev: 'eth0' }, { dev: 'eth1' }] })] },
      ["route 10.70.0.0/17 (table main, interface 'eth0', interface 'eth1')"],
    ],
    [
      'what an administrator rejects',
      { routes: [{ type: '6', dst: '10.0.0.0/8', table: '254', protocol: '3' }] },
      ['entry 10.0.0.0/8 (table main)'],
    ],
    [
      'the gateway of the default route',
      { routes: [route('default', { gateway: '10.70.0.1' })] },
      ["gateway 10.70.0.1 of the default route (table main, interface 'eth0')"],
    ],
    [
      'a rule from the subnet',
      { rules: [rule({ src: '10.70.5.0', srclen: 24 })] },
      ['rule 500: from 10.70.5.0/24 lookup 100'],
    ],
    [
      'a rule to what holds it',
      { rules: [rule({ src: '192.0.2.1', dst: '10.0.0.0', dstlen: 8 })] },
      ['rule 500: from 192.0.2.1/32 to 10.0.0.0/8 lookup 100'],
    ],
    [
      'the other end of a tunnel',
      { links: [link('vx0', { linkinfo: { info_kind: 'vxlan', info_data: { remote: '10.70.4.4' } } })] },
      ["tunnel end 10.70.4.4 of interface 'vx0'"],
    ],
    [
      'the other end of an SSH connection',
      { peers: [{ local: '192.0.2.7', localPort: 22, remote: '10.70.9.9' }] },
      ['10.70.9.9, which has a connection to this node (192.0.2.7, TCP port 22)'],
    ],
  ])('findCollisions finds %s', (_name, network, words) => {
    expect(found(network)).toEqual(words);
  });

  it('findCollisions reports an address once, without the entries that the kernel made for it', () => {
    const kernel = { protocol: '2', prefsrc: '10.70.1.1' };
    const routes = [
      route('10.70.1.0/24', kernel),
      route('10.70.1.1', { ...kernel, type: '2', table: '255' }),
      route('10.70.1.255', { ...kernel, type: '3', table: '255' }),
    ];
    expect(found({ links: [link('eth0', address('10.70.1.1'))], routes })).toHaveLength(1);
  });

  it.each<[string, Partial<NodeNetwork>]>([
    ['default routes', { routes: [route('default', { gateway: '192.0.2.1' }), route('default', { table: '51820' })] }],
    ['the halves of a default route', { routes: [route('0.0.0.0/1'), route('128.0.0.0/1')] }],
    ['other networks', { links: [link('eth0', address('10.71.0.1'))], routes: [route('10.71.0.0/16')] }],
    [
      "the slice's own things",
      {
        links: [link('pv001-e0g', address('10.70.0.0', 32))],
        routes: [
          route('10.70.0.1', { table: '50001', dev: 'pv001-e0g' }),
          route('10.70.0.0', { table: '255', type: '2', dev: 'pv001-e0g' }),
          { type: '7', dst: 'default', table: '50001', protocol: '245' },
        ],
        rules: [rule({ priority: 10_001, src: '10.70.0.0', srclen: 16, table: '50001' })],
      },
    ],
    ['rules for everything', { rules: [rule({}), rule({ src: '0.0.0.0', srclen: 0 })] }],
    [
      'connections over the slice, even stale ones',
      { peers: [{ local: '10.70.0.1', localPort: 5001, remote: '10.70.0.3' }] },
    ],
  ])('findCollisions accepts %s', (_name, network) => {
    expect(found(network)).toEqual([]);
  });

  it('findCollisions names the other slice that owns a thing', () => {
    const inner = {
      ...policy,
      ...{ slice: 'inner', vnet: '10.70.128.0/17', interfacePrefix: 'pv002-', table: 50_002, rulePriority: 10_002 },
    };
    const other = { slice: 'inner', vnet: parsePrefix(inner.vnet), file: '/etc/inner.json', policy: inner };
    const network = {
      links: [link('pv002-e0h', address('10.70.128.1', 32))],
      routes: [route('10.70.128.0', { table: '50002', dev: 'pv002-e0h' })],
      routerLinks: [link('pv002-0l0b', { linkinfo: { info_data: { remote: '10.70.4.4' } } })],
      rules: [rule({ priority: 10_002, dst: '10.70.128.0', dstlen: 17, table: '50002' })],
    };
    expect(found(network, [other])).toEqual([
      "address 10.70.128.1/32 of interface 'pv002-e0h' (slice 'inner')",
      "route 10.70.128.0/32 (table 50002, interface 'pv002-e0h') (slice 'inner')",
      "rule 10002: to 10.70.128.0/17 lookup 50002 (slice 'inner')",
      "tunnel end 10.70.4.4 of interface 'pv002-0l0b' (slice 'inner')",
      "vnet 10.70.128.0/17 of its policy /etc/inner.json (slice 'inner')",
    ]);
  });
});

it('findCollisions names a slice whose number this slice, a larger one, needs too', () => {
  const next = {
    ...policy,
    ...{ slice: 'next', vnet: '10.71.0.0/16', interfacePrefix: 'pv002-', namespacePrefix: 'pv-next_' },
    ...{ table: 50_002, rulePriority: 10_002 },
    ...{ nexthops: { first: 131_072, last: 196_607 }, vnis: { first: 8192, last: 12_287 } },
  };
  const other = { slice: 'next', vnet: parsePrefix(next.vnet), file: '/etc/next.json', policy: next };
  const nothing = { links: [], routerLinks: [], routes: [], rules: [], peers: [] };
  expect(findCollisions(policy, nothing, [other])).toEqual([]);
  const large = { ...policy, vnis: { first: 4096, last: 12_287 } };
  expect(findCollisions(large, nothing, [other])).toEqual([
    { what: 'VNIs (8192 to 12287) of its policy /etc/next.json', slice: 'next' },
  ]);
});

describe('the error about collisions', () => {
  it('the error names the first collisions, and says what to do', () => {
    const collisions = Array.from({ length: 10 }, (_, index) => ({ what: `c${index}` }));
    expect(collisionError('office', policy.vnet, collisions)).toMatchObject({
      code: 'conflict',
      message:
        "slice 'office' (vnet 10.70.0.0/16) collides with what this node uses: c0; c1; c2; c3; c4; c5; c6; c7; and 2 more",
      hint: 'nothing was changed there; choose another vnet or number for the slice',
    });
  });
});

describe('parsePeers', () => {
  const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0C07D50A:0016 0101D70A:C822 01 00000000:00000000 02:000A7D2C 00000000     0        0 2 4 0 20 4 30 10 -1
   2: 0000000000000000FFFF00000C07D50A:0016 0000000000000000FFFF00000101D70A:C823 01 00000000:00000000 02:0 0 0 0 3
   3: 000080FE00000000FF565450AB906FFE:0016 000080FE00000000FF565450AC906FFE:C824 01 00000000:00000000 02:0 0 0 0 4
   4: 0C07D50A:0016 0201D70A:C822 06 00000000:00000000 02:000A7D2C 00000000     0        0 2 4 0 20 4 30 10 -1
`;
  it('parsePeers reads established IPv4 connections, including those of IPv6 sockets', () => {
    const peer = { local: '10.213.7.12', localPort: 22, remote: '10.215.1.1' };
    expect(parsePeers(text, true)).toEqual([peer, peer]);
  });
});
