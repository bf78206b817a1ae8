import { describe, expect, it } from 'vitest';
import type { Chains } from '../../../src/agent/obstacles/filter.ts';
import { parseIptables } from '../../../src/agent/obstacles/iptables.ts';
import { parseNft } from '../../../src/agent/obstacles/nft.ts';
import { filterObstacles } from '../../../src/agent/obstacles/packet-filters.ts';

const policy = { vnet: '10.70.0.0/16', interfacePrefix: 'pv0qw-' };
const place = { port: 4789, uplink: 'eth0' };

function kinds(chains: Chains, name = 'table'): string[] {
  const table = { name, chains, insert: (chain: string) => `let it in at ${chain}` };
  return filterObstacles([table], policy, place).map(({ kind, message }) => `${kind}: ${message}`);
}

type Json = Record<string, unknown>;
const met = (left: Json, right: unknown, op = '==') => ({ match: { op, left, right } });
const meta = (key: string) => ({ meta: { key } });
const field = (protocol: string, name: string) => ({ payload: { protocol, field: name } });
const accept = { accept: null };
const drop = { drop: null };

/** Returns one table with a base chain at the hook, and a chain `other`, as nft prints them. */
function nft(hook: string, chainPolicy: string, rules: Json[][], other: Json[][] = []): Chains {
  const table = { family: 'ip', table: 'f' };
  const entries = [
    { metainfo: { version: '1.0.6' } },
    { table: { family: 'ip', name: 'f' } },
    { chain: { ...table, name: 'base', type: 'filter', hook, prio: 0, policy: chainPolicy } },
    { chain: { ...table, name: 'other' } },
    ...rules.map((expr) => ({ rule: { ...table, chain: 'base', expr } })),
    ...other.map((expr) => ({ rule: { ...table, chain: 'other', expr } })),
  ];
  return parseNft(JSON.stringify({ nftables: entries }))[0]!.chains;
}

const forwardDropped = [
  'forward-filter: a firewall drops traffic of 10.70.0.0/16 between the interfaces of the slice: chain base of table (policy drop, hook forward)',
];
const inputDropped = [
  'input-filter: a firewall drops tunnel packets (UDP port 4789): chain base of table (policy drop, hook input)',
];
const established = [met({ ct: { key: 'state' } }, ['established', 'related'], 'in'), accept];
const stateMap = {
  vmap: {
    key: { ct: { key: 'state' } },
    data: {
      set: [
        ['invalid', drop],
        ['established', accept],
      ],
    },
  },
};

describe('a forward policy', () => {
  it.each<[string, Json[][], Json[][]]>([
    ['without rules', [], []],
    ['and lets answers through', [established, [stateMap]], []],
    ["with a rule for another program's interfaces", [[met(meta('iifname'), 'docker0'), accept]], []],
    [
      'with a rule for other addresses',
      [[met(field('ip', 'saddr'), { set: [{ range: ['172.17.0.0', '172.18.255.255'] }] }), accept]],
      [],
    ],
    [
      'with a rule in another chain',
      [[{ jump: { target: 'other' } }]],
      [[met(meta('oifname'), 'virbr*'), { counter: {} }, accept]],
    ],
    ['with a rule in another chain that returns', [[{ jump: { target: 'other' } }]], [[{ return: null }], [accept]]],
  ])('a forward policy that drops, %s, is an obstacle', (_, rules, other) => {
    expect(kinds(nft('forward', 'drop', rules, other))).toEqual(forwardDropped);
  });

  it.each<[string, Json[][], Json[][]]>([
    ['by interface', [[met(meta('iifname'), 'pv*'), accept]], []],
    ['by subnet', [[met(field('ip', 'saddr'), { prefix: { addr: '10.0.0.0', len: 8 } }), accept]], []],
    ['in another chain', [[{ jump: { target: 'other' } }]], [[accept]]],
    ['perhaps: by a set', [[met(field('ip', 'saddr'), '@friends'), accept]], []],
    ['perhaps: by an extension', [[{ xt: { type: 'match', name: 'comment' } }, accept]], []],
    ['perhaps: by a named map', [[{ vmap: { key: meta('iifname'), data: '@zones' } }]], []],
  ])('a forward policy that drops but accepts the slice %s is not an obstacle', (_, rules, other) => {
    expect(kinds(nft('forward', 'drop', rules, other))).toEqual([]);
  });

  it('a forward policy that accepts is an obstacle only with a rule that drops', () => {
    const rule = [met(field('ip', 'daddr'), { prefix: { addr: '10.0.0.0', len: 8 } }), { reject: null }];
    expect(kinds(nft('forward', 'accept', [rule]))).toEqual([forwardDropped[0]!.replace('policy drop, ', '')]);
    expect(kinds(nft('forward', 'accept', []))).toEqual([]);
  });
});

describe('an input policy', () => {
  const ssh = [met(field('tcp', 'dport'), { set: [22, { range: [80, 90] }] }), accept];
  const loopback = [met(meta('iif'), 'lo'), accept];
  const icmp = [met(meta('l4proto'), 'icmp'), accept];
  it("an input policy that drops is an obstacle without a rule for the tunnels' port", () => {
    expect(kinds(nft('input', 'drop', [established, loopback, ssh, icmp]))).toEqual(inputDropped);
  });
  it.each([4789, { range: [4000, 5000] }, { set: [53, 4789] }])(
    'an input policy that drops is not an obstacle with a rule for port %j',
    (port) => {
      expect(kinds(nft('input', 'drop', [loopback, [met(field('udp', 'dport'), port), accept]]))).toEqual([]);
    },
  );
});

describe('iptables', () => {
  const saved = (policyWord: string, ...rules: string[]) =>
    kinds(
      parseIptables(
        ['*filter', `:FORWARD ${policyWord} [0:0]`, ':INPUT ACCEPT [0:0]', ':MINE - [0:0]', ...rules, 'COMMIT'].join(
          '\n',
        ),
      ),
    );
  const docker = [
    '-A FORWARD -j MINE',
    '-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT',
    '-A MINE -m comment --comment "nothing here" -j RETURN',
  ];
  it('the forward policy of Docker is an obstacle', () => {
    expect(saved('DROP', ...docker)).toEqual([forwardDropped[0]!.replace('chain base', 'chain FORWARD')]);
    expect(saved('ACCEPT', ...docker)).toEqual([]);
  });
  it.each([
    '-A MINE -i pv+ -j ACCEPT',
    '-A FORWARD -s 10.0.0.0/8 -j ACCEPT',
    '-A MINE -m set --match-set friends src -j ACCEPT',
  ])('the forward policy of Docker is not an obstacle with %s', (rule) =>
    expect(saved('DROP', '-A FORWARD -j MINE', rule)).toEqual([]),
  );
  it('a rule of iptables matches ports', () => {
    expect(saved('ACCEPT', '-A INPUT -p udp -m multiport --dports 53,4000:5000 -j DROP')).toEqual([
      'input-filter: a firewall drops tunnel packets (UDP port 4789): chain INPUT of table (hook input)',
    ]);
    expect(saved('ACCEPT', '-A INPUT -p tcp -m tcp --dport 4789 -j DROP')).toEqual([]);
  });
});
