import { describe, expect, it } from 'vitest';
import { changed, faultsOf, goodFile } from './support/faults.ts';

const nodes = 'known nodes: n1, n2, gw1, gw2, h1, h2';

/** A fault, the changed file, and all its faults. */
const cases: [name: string, text: string, faults: string[]][] = [
  [
    'an unknown node in a latency',
    changed('[gw1, n1, 60]', '[gw3, n1, 60]'),
    ["two.yaml:14:10: substrate.latency.links[0][0]: unknown node 'gw3' (did you mean 'gw1'?)"],
  ],
  [
    'an unknown node of a gateway',
    changed('node: gw1', 'node: x'),
    [`two.yaml:22:19: vn.gateways.west.node: unknown node 'x' (${nodes})`],
  ],
  [
    'an unknown node of an end host',
    changed('node: h1', 'node: x'),
    [`two.yaml:25:17: vn.endHosts.e1.node: unknown node 'x' (${nodes})`],
  ],
  [
    'an unknown node in a placement',
    changed('alpha: n1', 'alpha: x'),
    [`two.yaml:30:21: placements.initial.alpha: unknown node 'x' (${nodes})`],
  ],
  [
    'an unknown router in a link',
    changed('- [alpha, beta]', '- [alpha, beat]'),
    ["two.yaml:20:15: vn.links[0][1]: unknown router 'beat' (did you mean 'beta'?)"],
  ],
  [
    'an unknown router of a gateway',
    changed('router: beta', 'router: gamma'),
    ["two.yaml:23:32: vn.gateways.east.router: unknown router 'gamma' (known routers: alpha, beta)"],
  ],
  [
    'an unknown router in a placement',
    changed('beta: n2 }', 'beta: n2, aplha: n1 }'),
    ["two.yaml:30:35: unknown router 'aplha' (did you mean 'alpha'?)"],
  ],
  [
    'an unknown gateway',
    changed('gateway: west', 'gateway: wset'),
    ["two.yaml:25:30: vn.endHosts.e1.gateway: unknown gateway 'wset' (did you mean 'west'?)"],
  ],
  [
    'an unknown end host',
    changed('to: e2', 'to: e9'),
    ["two.yaml:28:23: vn.flows[0].to: unknown end host 'e9' (known end hosts: e1, e2)"],
  ],
  [
    'missing gateways',
    changed('  gateways:\n    west: { node: gw1, router: alpha }\n    east: { node: gw2, router: beta }\n', '')
      .replace('    e2: { node: h2, gateway: east }\n', '')
      .replace(/ {2}flows:\n.*\n/, ''),
    ["two.yaml:22:30: vn.endHosts.e1.gateway: unknown gateway 'west' (there are no gateways)"],
  ],
  [
    'a latency from a node to itself',
    changed('[n1, n2, 120]', '[n1, n1, 120]'),
    [
      "two.yaml:15:14: substrate.latency.links[1][1]: latency from node 'n1' to itself (it is always 0; remove this entry)",
    ],
  ],
  [
    'a duplicate latency',
    changed('[n1, n2, 120]', '[n1, gw1, 120]'),
    [
      "two.yaml:15:9: substrate.latency.links[1]: the latency between 'n1' and 'gw1' is listed twice (one entry holds both directions: [from, to, ms, back])",
    ],
  ],
  [
    'a duplicate router',
    changed('[alpha, beta]\n', '[alpha, beta, alpha]\n'),
    ["two.yaml:18:26: vn.routers[2]: duplicate router 'alpha' (list each router once)"],
  ],
  [
    'a link from a router to itself',
    changed('- [alpha, beta]', '- [alpha, beta]\n    - [beta, beta]'),
    ["two.yaml:21:14: vn.links[1][1]: link from router 'beta' to itself (a link joins two different routers)"],
  ],
  [
    'a duplicate link',
    changed('- [alpha, beta]', '- [alpha, beta]\n    - [beta, alpha, 2]'),
    [
      "two.yaml:21:7: vn.links[1]: the link between 'beta' and 'alpha' is listed twice (a link carries both directions; list it once)",
    ],
  ],
  [
    'a disconnected VN',
    changed('[alpha, beta]\n', '[alpha, beta, c, d, e]\n')
      .replace('- [alpha, beta]', '- [alpha, beta]\n    - [c, e]')
      .replace('beta: n2 }', 'beta: n2, c: n1, d: n1, e: n2 }'),
    ["two.yaml:20:5: vn.links: VN 'two' is disconnected: {alpha, beta}, {c, e}, {d} (add links that join the parts)"],
  ],
  [
    'routers without any link',
    changed('  links:\n    - [alpha, beta]\n', ''),
    ["two.yaml:18:12: vn.routers: VN 'two' is disconnected: {alpha}, {beta} (add links that join the parts)"],
  ],
  [
    'two gateways on one node',
    changed('node: gw2', 'node: gw1'),
    [
      "two.yaml:23:19: vn.gateways.east.node: gateways 'west' and 'east' are both on node 'gw1' (each uses its node's own network stack: use one node per gateway of a VN)",
    ],
  ],
  [
    'two end hosts on one node',
    changed('node: h2', 'node: h1'),
    [
      "two.yaml:26:17: vn.endHosts.e2.node: end hosts 'e1' and 'e2' are both on node 'h1' (each uses its node's own network stack: use one node per end host of a VN)",
    ],
  ],
  [
    'an end host on the node of its gateway',
    changed('node: h1', 'node: gw1'),
    [
      "two.yaml:25:17: vn.endHosts.e1.node: end host 'e1' is on the same node as its gateway 'west' (both use the node's own network stack; put the end host on another node)",
    ],
  ],
  [
    'an end host on the node of another gateway',
    changed('node: h1', 'node: gw2'),
    [
      "two.yaml:25:17: vn.endHosts.e1.node: end host 'e1' is on the same node as gateway 'east' (both use the node's own network stack; put the end host on another node)",
    ],
  ],
  [
    'a flow from an end host to itself',
    changed('to: e2', 'to: e1'),
    ["two.yaml:28:23: vn.flows[0].to: flow from 'e1' to itself (a flow joins two different end hosts)"],
  ],
  [
    'a duplicate flow',
    changed('placements:', '    - { from: e1, to: e2, rate: 2Mbps }\nplacements:'),
    [
      "two.yaml:29:7: vn.flows[1]: the flow from 'e1' to 'e2' is listed twice (make it one flow with the sum of the rates)",
    ],
  ],
  [
    'a placement without a node for a router',
    changed(', beta: n2', ''),
    ["two.yaml:30:3: placement 'initial' has no node for router beta (add beta: NODE)"],
  ],
  [
    'a placement without nodes for several routers',
    changed('{ alpha: n1, beta: n2 }', '{}'),
    ["two.yaml:30:3: placement 'initial' has no node for routers alpha, beta (add each of them: NODE)"],
  ],
  [
    'empty placements',
    changed('placements:\n  initial: { alpha: n1, beta: n2 }', 'placements: {}'),
    ['two.yaml:29:13: placements: no placement (add one: initial: { ROUTER: NODE })'],
  ],
  [
    'no placements',
    changed('placements:\n  initial: { alpha: n1, beta: n2 }', ''),
    ['two.yaml:1:1: placements: no placement (add one: initial: { ROUTER: NODE })'],
  ],
  [
    'no VN',
    goodFile.slice(0, goodFile.indexOf('vn:\n')),
    ["two.yaml:1:1: 'vn' is missing (a slice has vn and placements, or vns)"],
  ],
  [
    'an address without a host',
    changed('n1: {}', 'n1: { address: 192.0.2.1 }'),
    ["two.yaml:5:11: node 'n1' has an address but no host (add its host, or remove the address)"],
  ],
  [
    'a duplicate time server',
    changed('vnet:', 'ntp: [a, b, a]\nvnet:'),
    ["two.yaml:2:13: ntp[2]: NTP server 'a' is listed twice (list each server once)"],
  ],
  [
    'a duplicate time server in another spelling',
    changed('vnet:', 'ntp: [a.example.org, A.example.org:123, a.example.org:124]\nvnet:'),
    ["two.yaml:2:22: ntp[1]: NTP server 'A.example.org:123' is listed twice (it is the same as 'a.example.org')"],
  ],
  [
    'time servers that are not a certain other host',
    changed('vnet:', 'ntp: [127.0.0.1, 169.254.169.123, 10.64.0.9, localhost:9999, 224.0.1.1, 10.63.0.9]\nvnet:'),
    [
      "two.yaml:2:7: ntp[0]: NTP server '127.0.0.1' is a loopback address (the controller and the nodes must reach the same server: ntp1.example.org or 192.0.2.7:123)",
      "two.yaml:2:18: ntp[1]: NTP server '169.254.169.123' is a link-local address (the controller and the nodes must reach the same server: ntp1.example.org or 192.0.2.7:123)",
      "two.yaml:2:35: ntp[2]: NTP server '10.64.0.9' is inside vnet 10.64.0.0/16 (the controller and the nodes must reach the same server: ntp1.example.org or 192.0.2.7:123)",
      "two.yaml:2:46: ntp[3]: NTP server 'localhost:9999' is the name of each machine itself (the controller and the nodes must reach the same server: ntp1.example.org or 192.0.2.7:123)",
      "two.yaml:2:62: ntp[4]: NTP server '224.0.1.1' is a multicast address (the controller and the nodes must reach the same server: ntp1.example.org or 192.0.2.7:123)",
    ],
  ],
  [
    'a vnet of loopback addresses',
    changed('10.64.0.0/16', '127.64.0.0/16'),
    [
      'two.yaml:2:7: vnet: overlapping subnets: vnet 127.64.0.0/16 and 127.0.0.0/8 (loopback) (use a private subnet, like 10.65.0.0/16)',
    ],
  ],
  [
    'a vnet that contains multicast addresses',
    changed('10.64.0.0/16', '192.0.0.0/2'),
    [
      'two.yaml:2:7: vnet: overlapping subnets: vnet 192.0.0.0/2 and 224.0.0.0/4 (multicast) (use a private subnet, like 10.65.0.0/16)',
    ],
  ],
  [
    'a vnet of all addresses',
    changed('10.64.0.0/16', '0.0.0.0/0'),
    [
      'two.yaml:2:7: vnet: overlapping subnets: vnet 0.0.0.0/0 and 0.0.0.0/8 (addresses of this network) (use a private subnet, like 10.65.0.0/16)',
    ],
  ],
  [
    'a vnet of link-local addresses, even with public: true',
    changed('vnet: 10.64.0.0/16', 'vnet: 169.254.0.0/16\npublic: true'),
    [
      'two.yaml:2:7: vnet: overlapping subnets: vnet 169.254.0.0/16 and 169.254.0.0/16 (link-local addresses) (use a private subnet, like 10.65.0.0/16)',
    ],
  ],
  ...['8.8.0.0/16', '198.18.0.0/15', '203.0.113.0/24', '10.0.0.0/7', '172.0.0.0/11', '100.0.0.0/9'].map(
    (vnet): [string, string, string[]] => [
      `vnet ${vnet}, which is not private`,
      changed('10.64.0.0/16', vnet),
      [
        `two.yaml:2:7: vnet: ${vnet} is not within private or shared address space (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10) (use a private subnet, like 10.65.0.0/16; if these addresses are yours, add 'public: true')`,
      ],
    ],
  ),
  [
    'a public vnet without public: true',
    changed('vnet: 10.64.0.0/16', 'vnet: 8.8.0.0/16\npublic: yes'),
    [
      "two.yaml:2:7: vnet: 8.8.0.0/16 is not within private or shared address space (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10) (use a private subnet, like 10.65.0.0/16; if these addresses are yours, add 'public: true')",
      "two.yaml:3:9: public: expected true or false, found 'yes' (true if vnet may be outside private (RFC 1918) and shared (RFC 6598) address space)",
    ],
  ],
  [
    'a vnet that contains a node',
    changed('n1: {}', 'n1: { host: 10.64.3.4, address: 10.64.3.5 }'),
    [
      "two.yaml:5:17: substrate.nodes.n1.host: overlapping subnets: the host of node 'n1' is inside vnet 10.64.0.0/16 (use a subnet that contains none of the nodes)",
      "two.yaml:5:37: substrate.nodes.n1.address: overlapping subnets: the address of node 'n1' is inside vnet 10.64.0.0/16 (use a subnet that contains none of the nodes)",
    ],
  ],
  [
    'a vnet that is too small',
    changed('10.64.0.0/16', '10.64.0.24/29'),
    [
      'two.yaml:2:7: vnet: subnet too small: 10.64.0.24/29, but the slice needs 24 addresses (use a /27 or larger, like 10.64.0.0/27)',
    ],
  ],
];

const several = `slice: two
vnet: 10.64.0.0/16
substrate: { nodes: { n1: {}, n2: {} } }
vns:
  - name: red
    routers: [a]
    placements: { initial: { a: n1 } }
  - name: blue
    routers: [b]
    placements: { initial: { b: n1 } }
`;

const severalCases: [name: string, text: string, faults: string[]][] = [
  [
    'two VNs with the same name',
    several.replace('blue', 'red'),
    ["two.yaml:8:11: vns[1].name: two VNs are named 'red' (names of VNs are unique in a slice)"],
  ],
  [
    'a router name in two VNs',
    several.replace('[b]', '[a]').replace('b: n1', 'a: n1'),
    ["two.yaml:9:15: vns[1].routers[0]: router 'a' is also in VN 'red' (names of routers are unique in a slice)"],
  ],
  [
    'no VN',
    `${several.slice(0, several.indexOf('vns:'))}vns: []\n`,
    ['two.yaml:4:6: vns: the list is too short (several VNs, each with its own placements)'],
  ],
  [
    'vn together with vns',
    `${several}vn: { name: x, routers: [x] }\nplacements: {}\n`,
    [
      "two.yaml:11:1: 'vn' together with 'vns' (move the VN into vns)",
      "two.yaml:12:1: 'placements' together with 'vns' (each VN in vns has its own placements)",
    ],
  ],
  [
    'no placements',
    several.replace(/ {4}placements.*\n/, ''),
    [
      "two.yaml:5:5: 'placements' is missing (the node of each router, by placement name: { initial: { a: n1, b: n2 } })",
    ],
  ],
];

describe('faults of meaning', () => {
  it.each(cases)('checkSlice reports %s', (_, text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  it.each(severalCases)('checkSlice reports in a file with several VNs: %s', (_, text, faults) => {
    expect(faultsOf(several)).toEqual([]);
    expect(faultsOf(text)).toEqual(faults);
  });

  it('checkSlice reports faults of all kinds in one run, in the order of the file', () => {
    const text = changed('slice: two', 'slice: Two')
      .replace('[n1, n2, 120]', '[n1, n9, x]')
      .replace('  gateways:', '  colour: red\n  gateways:')
      .replace('node: gw1, router: alpha', 'node: gw9, rooter: alpha')
      .replace('to: e2, rate: 1.5Mbps', 'to: e9, rate: 1500000')
      .replace('alpha: n1, beta: n2', 'alpha: n9');
    expect(faultsOf(text).map((fault) => fault.replace(/ \(.*$/, ''))).toEqual([
      "two.yaml:1:8: slice: 'Two' is not a slice name",
      "two.yaml:15:14: substrate.latency.links[1][1]: unknown node 'n9'",
      "two.yaml:15:18: substrate.latency.links[1][2]: expected a number, found 'x'",
      "two.yaml:21:3: unknown key 'colour'",
      "two.yaml:23:11: 'router' is missing",
      "two.yaml:23:19: vn.gateways.west.node: unknown node 'gw9'",
      "two.yaml:23:24: unknown key 'rooter'",
      "two.yaml:29:23: vn.flows[0].to: unknown end host 'e9'",
      'two.yaml:29:33: vn.flows[0].rate: expected a rate with a unit, found the number 1500000',
      "two.yaml:31:3: placement 'initial' has no node for router beta",
      "two.yaml:31:21: placements.initial.alpha: unknown node 'n9'",
    ]);
  });

  it('checkSlice accepts a VN of one router without links, gateways, end hosts or flows', () => {
    expect(
      faultsOf(several.replace('[a]\n', '[a]\n    links: []\n    gateways: {}\n    endHosts: {}\n    flows: []\n')),
    ).toEqual([]);
  });

  it('checkSlice accepts 4096 gateways and end hosts', () => {
    expect(faultsOf(bigSlice(4096))).toEqual([]);
  });

  it('checkSlice reports a number that leaves no room for the further numbers of a large slice', () => {
    const numbered = (number: number) => bigSlice(600).replace('vnet:', `number: ${number}\nvnet:`);
    expect(faultsOf(numbered(4093))).toEqual([]);
    expect(faultsOf(numbered(4094))).toEqual([
      'two.yaml:2:9: number: a slice of this size takes 3 numbers, here 4094 to 4096 (at most 4093)',
    ]);
  });

  it('checkSlice reports counts above the limits', () => {
    expect(faultsOf(bigSlice(4097))).toEqual([
      "two.yaml:4:1: VN 'big' has 4097 links and gateways (at most 4096 together)",
      'two.yaml:7:3: the slice has 4097 gateways (at most 4096)',
      'two.yaml:8:3: the slice has 4097 end hosts (at most 4096)',
    ]);
    const vn = (i: number) => `  - { name: v${i}, routers: [r${i}], placements: { initial: { r${i}: n1 } } }\n`;
    const vns = (count: number) => `${several.slice(0, several.indexOf('  - name'))}${numbers(count).map(vn).join('')}`;
    expect(faultsOf(vns(7))).toEqual([]);
    expect(faultsOf(vns(8))).toEqual(['two.yaml:4:1: 8 VNs in one slice (at most 7)']);
  });
});

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A slice with one router, and as many gateways with an end host each. */
function bigSlice(count: number): string {
  const each = (text: (i: number) => string) => numbers(count).map(text).join(', ');
  return `slice: big
vnet: 10.0.0.0/8
substrate: { nodes: { n: {}, ${each((i) => `g${i}: {}, h${i}: {}`)} } }
vn:
  name: big
  routers: [r]
  gateways: { ${each((i) => `g${i}: { node: g${i}, router: r }`)} }
  endHosts: { ${each((i) => `h${i}: { node: h${i}, gateway: g${i} }`)} }
placements: { initial: { r: n } }
`;
}
