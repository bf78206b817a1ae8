import { describe, expect, it } from 'vitest';
import { changed, faultsOf, goodFile } from './support/faults.ts';

const lowerRule = '1 to 32 of a-z, 0-9 and -, not beginning with -; it becomes part of names on the nodes';
const anyRule = '1 to 32 of A-Z, a-z, 0-9, _ and -, beginning with a letter or digit';
const allKeys = 'slice, number, vnet, public, ssh, dataplane, ntp, repair, substrate, vn, placements, vns';
const ntpHint =
  'NTP servers for the controller and the nodes, at most 8: [ntp1.example.org, 192.0.2.7:123]; single servers, not pools';
const repairHint = 'whether the service repairs differences on the nodes: on or off; on if left out';
const noNtpServer = 'is not an NTP server (write it like ntp1.example.org or 192.0.2.7:123 (no IPv6))';

/** A fault, the changed file, and all its faults. */
const cases: [name: string, text: string, faults: string[]][] = [
  ['unknown key', changed('vnet:', 'foo: 1\nvnet:'), [`two.yaml:2:1: unknown key 'foo' (known keys: ${allKeys})`]],
  [
    'a misspelt key',
    changed('routers:', 'routrs:'),
    [
      "two.yaml:17:3: 'routers' is missing (the virtual routers: [a, b]; at least one)",
      "two.yaml:18:3: unknown key 'routrs' (did you mean 'routers'?)",
    ],
  ],
  [
    'a misspelt optional key',
    changed('gateways:', 'gatways:'),
    ["two.yaml:21:3: unknown key 'gatways' (did you mean 'gateways'?)"],
  ],
  [
    'a misspelt key in an entry',
    changed('router: alpha', 'Router: alpha'),
    [
      "two.yaml:22:11: 'router' is missing (the router that the gateway connects to)",
      "two.yaml:22:24: unknown key 'Router' (did you mean 'router'?)",
    ],
  ],
  [
    'a duplicate key',
    changed('vnet:', 'slice: two\nvnet:'),
    ["two.yaml:2:1: duplicate key 'slice' (first defined at 1:1)"],
  ],
  [
    'a duplicate node',
    changed('n2: {}', 'n1: {}\n    n2: {}'),
    ["two.yaml:6:5: duplicate node 'n1' (first defined at 5:5)"],
  ],
  [
    'a duplicate gateway',
    changed('  endHosts:', '    east: { node: n1, router: beta }\n  endHosts:'),
    ["two.yaml:24:5: duplicate gateway 'east' (first defined at 23:5)"],
  ],
  [
    'a duplicate end host',
    changed('  flows:', '    e1: { node: n1, gateway: east }\n  flows:'),
    ["two.yaml:27:5: duplicate end host 'e1' (first defined at 25:5; an end host has exactly one gateway)"],
  ],
  [
    'two gateways for one end host',
    changed('gateway: west', 'gateway: [west, east]'),
    [
      'two.yaml:25:30: vn.endHosts.e1.gateway: expected the name of one gateway, found a list (one of gateways; an end host has exactly one)',
    ],
  ],
  [
    'invalid YAML',
    changed('[alpha, beta]', '[alpha, beta'),
    ['two.yaml:19:3: invalid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ],
  ['tabs', changed('  initial:', '\tinitial:'), ['two.yaml:30:1: invalid YAML: Tabs are not allowed as indentation']],
  [
    'two documents',
    `${goodFile}---\nslice: x\n`,
    ['two.yaml:31:1: a second YAML document begins here (a file holds one slice)'],
  ],
  ['unknown tag', changed('{}', '!node {}'), ['two.yaml:5:9: unknown YAML tag (write the value without the tag)']],
  [
    'an empty file',
    '',
    ['two.yaml:1:1: expected a map, found nothing (a slice: slice, vnet, substrate, and vn with placements, or vns)'],
  ],
  [
    'a list instead of a map',
    '- a\n',
    ['two.yaml:1:1: expected a map, found a list (a slice: slice, vnet, substrate, and vn with placements, or vns)'],
  ],
  [
    'a node without braces',
    changed('n2: {}', 'n2:'),
    [
      'two.yaml:6:8: substrate.nodes.n2: expected a map, found nothing (a host reached over SSH: { host: node1.example.org, port: 22, user: me, key: ~/.ssh/id_ed25519 }; {} for a node on the local testbed)',
    ],
  ],
  [
    'an invalid slice name',
    changed('slice: two', 'slice: Two'),
    [`two.yaml:1:8: slice: 'Two' is not a slice name (write 'two'; ${lowerRule})`],
  ],
  [
    'a slice name that is too long',
    changed('slice: two', `slice: ${'x'.repeat(33)}`),
    [`two.yaml:1:8: slice: '${'x'.repeat(33)}' is not a slice name (${lowerRule})`],
  ],
  [
    'a name that is a number',
    changed('slice: two', 'slice: 2'),
    ["two.yaml:1:8: slice: expected a slice name, found the number 2 (write it in quotes: '2')"],
  ],
  [
    'an invalid node name',
    changed('n2: {}', 'n2: {}\n    N3: {}'),
    [`two.yaml:7:5: 'N3' is not a node name (write 'n3'; ${lowerRule})`],
  ],
  [
    'an invalid router name',
    changed('[alpha, beta]\n  links', '[alpha, beta, c_d]\n  links')
      .replace('- [alpha, beta]', '- [alpha, beta]\n    - [alpha, c_d]')
      .replace('beta: n2 }', 'beta: n2, c_d: n2 }'),
    [`two.yaml:18:26: vn.routers[2]: 'c_d' is not a router name (${lowerRule})`],
  ],
  [
    'an invalid VN name',
    changed('name: two', 'name: "two words"'),
    [`two.yaml:17:9: vn.name: 'two words' is not a VN name (${anyRule})`],
  ],
  ['placement name', changed('initial:', '-x:'), [`two.yaml:30:3: '-x' is not a placement name (${anyRule})`]],
  [
    'control characters',
    changed('name: two', 'name: "a\\e[2Jb\\n"'),
    [`two.yaml:17:9: vn.name: 'a\\u001b[2Jb\\u000a' is not a VN name (${anyRule})`],
  ],
  [
    'a slice number that is too large',
    changed('vnet:', 'number: 4096\nvnet:'),
    [
      'two.yaml:2:9: number: 4096 is too big (keeps slices on one node apart, 1 to 4095; made from the name if left out)',
    ],
  ],
  [
    'an invalid host',
    changed('n1: {}', 'n1: { host: "-oProxy" }'),
    [
      "two.yaml:5:17: substrate.nodes.n1.host: '-oProxy' is neither a host name nor an IP address (write it like node1.example.org or 192.0.2.7; give the login and the port as 'user' and 'port')",
    ],
  ],
  [
    'an incomplete address',
    changed('n1: {}', 'n1: { host: 10.0.0 }'),
    [
      "two.yaml:5:17: substrate.nodes.n1.host: '10.0.0' is neither a host name nor an IP address (write it like node1.example.org or 192.0.2.7; give the login and the port as 'user' and 'port')",
    ],
  ],
  [
    'an address in another notation',
    changed('n1: {}', 'n1: { host: 0x7f.1 }'),
    [
      "two.yaml:5:17: substrate.nodes.n1.host: '0x7f.1' is neither a host name nor an IP address (it is another notation of an address: write 127.0.0.1)",
    ],
  ],
  [
    'an invalid port',
    changed('n1: {}', 'n1: { host: x, port: 65536 }'),
    ['two.yaml:5:26: substrate.nodes.n1.port: 65536 is too big (SSH port, 1 to 65535; 22 if left out)'],
  ],
  [
    'a fractional port',
    changed('n1: {}', 'n1: { host: x, port: 2.5 }'),
    [
      'two.yaml:5:26: substrate.nodes.n1.port: expected a whole number, found the number 2.5 (SSH port, 1 to 65535; 22 if left out)',
    ],
  ],
  [
    'an invalid login',
    changed('vnet:', 'ssh: { user: "a b" }\nvnet:'),
    [
      "two.yaml:2:14: ssh.user: 'a b' is not a login name (1 to 64 of A-Z, a-z, 0-9 and ._@-, beginning with a letter, a digit or _)",
    ],
  ],
  [
    'an empty key path',
    changed('vnet:', 'ssh: { key: "" }\nvnet:'),
    ["two.yaml:2:13: ssh.key: '' is too short (path of a private key file; ~/ is your home)"],
  ],
  [
    'an invalid address',
    changed('n1: {}', 'n1: { host: x, address: x }'),
    ["two.yaml:5:29: substrate.nodes.n1.address: 'x' is not an IPv4 address (write it like 10.65.0.1)"],
  ],
  [
    'an invalid vnet',
    changed('10.64.0.0/16', '10.64.0.0'),
    ["two.yaml:2:7: vnet: '10.64.0.0' is not an IPv4 prefix (write it like 10.65.0.0/16)"],
  ],
  [
    'a vnet with host bits',
    changed('10.64.0.0/16', '10.65.1.0/16'),
    ["two.yaml:2:7: vnet: '10.65.1.0/16' has host bits set (write 10.65.0.0/16)"],
  ],
  [
    'a time server outside a list',
    changed('vnet:', 'ntp: ntp.example.org\nvnet:'),
    [`two.yaml:2:6: ntp: expected a list, found 'ntp.example.org' (${ntpHint})`],
  ],
  [
    'too many time servers',
    changed('vnet:', 'ntp: [a, b, c, d, e, f, g, h, i]\nvnet:'),
    [`two.yaml:2:6: ntp: the list is too long (${ntpHint})`],
  ],
  [
    'invalid time servers',
    changed('vnet:', 'ntp: ["a b", 192.0.2, "2001:db8::1", "x:70000", "c\\u001b[2J", 123]\nvnet:'),
    [
      `two.yaml:2:7: ntp[0]: 'a b' ${noNtpServer}`,
      `two.yaml:2:14: ntp[1]: '192.0.2' ${noNtpServer}`,
      `two.yaml:2:23: ntp[2]: '2001:db8::1' ${noNtpServer}`,
      `two.yaml:2:38: ntp[3]: 'x:70000' ${noNtpServer}`,
      `two.yaml:2:49: ntp[4]: 'c\\u001b[2J' ${noNtpServer}`,
      'two.yaml:2:63: ntp[5]: expected a time server, found the number 123 (host or host:port, like ntp1.example.org or 192.0.2.7:123)',
    ],
  ],
  [
    'repair that is neither on nor off',
    changed('vnet:', 'repair: maybe\nvnet:'),
    [`two.yaml:2:9: repair: expected on or off, found 'maybe' (${repairHint})`],
  ],
  [
    'repair without a value',
    changed('vnet:', 'repair:\nvnet:'),
    [`two.yaml:2:8: repair: expected on or off, found nothing (${repairHint})`],
  ],
  [
    'a negative latency',
    changed('60]', '-1]'),
    ['two.yaml:14:19: substrate.latency.links[0][2]: -1 is too small (one-way latency in ms, 0 or more)'],
  ],
  [
    'an infinite latency',
    changed('60]', '.inf]'),
    [
      'two.yaml:14:19: substrate.latency.links[0][2]: expected a number, found the number Infinity (one-way latency in ms, 0 or more)',
    ],
  ],
  [
    'a latency that lacks a value',
    changed(', 60]', ']'),
    [
      'two.yaml:14:9: substrate.latency.links[0]: the list is too short ([from, to, ms] for both directions, or [from, to, ms, back])',
    ],
  ],
  [
    'a link with too many values',
    changed('- [alpha, beta]', '- [alpha, beta, 1, 2]'),
    ['two.yaml:20:7: vn.links[0]: the list is too long ([from, to] or [from, to, cost])'],
  ],
  [
    'a cost of zero',
    changed('- [alpha, beta]', '- [alpha, beta, 0]'),
    ['two.yaml:20:21: vn.links[0][2]: 0 is too small (cost of the link, more than 0; 1 if left out)'],
  ],
  [
    'a rate without a unit',
    changed('1.5Mbps', '1500000'),
    [
      'two.yaml:28:33: vn.flows[0].rate: expected a rate with a unit, found the number 1500000 (payload bits per second, like 1.5Mbps, 800kbps or 2Gbps)',
    ],
  ],
  [
    'a quoted rate without a unit',
    changed('1.5Mbps', '"1500000"'),
    ["two.yaml:28:33: vn.flows[0].rate: '1500000' is not a rate (add a unit, like 1500000bps)"],
  ],
  [
    'a rate in bytes',
    changed('1.5Mbps', '1.5MB/s'),
    ["two.yaml:28:33: vn.flows[0].rate: '1.5MB/s' is not a rate (write it like 1.5Mbps, 800kbps or 2Gbps)"],
  ],
  [
    'a rate of zero',
    changed('1.5Mbps', '0Mbps'),
    ['two.yaml:28:33: vn.flows[0].rate: the rate is zero (remove the flow instead)'],
  ],
  [
    'a rate that is too high',
    changed('1.5Mbps', '100.1Gbps'),
    ["two.yaml:28:33: vn.flows[0].rate: the rate '100.1Gbps' is too high (at most 100Gbps)"],
  ],
  [
    'an invalid priority',
    changed('1.5Mbps', '1Mbps, priority: 0'),
    [
      'two.yaml:28:50: vn.flows[0].priority: 0 is too small (weight of a lost packet of this flow, more than 0; 1 if left out)',
    ],
  ],
  [
    'an invalid MTU',
    changed('  name: two\n', '  name: two\n  mtu: 575\n'),
    [
      'two.yaml:18:8: vn.mtu: 575 is too small (the largest packets that the VN carries, in bytes, 576 to 9000; if left out, what its narrowest tunnel carries, at most 1500)',
    ],
  ],
  [
    'an invalid payload',
    changed('1.5Mbps', '1Mbps, payload: 23'),
    [
      'two.yaml:28:49: vn.flows[0].payload: 23 is too small (UDP payload per packet in bytes, 24 to 9000; 1470 if left out)',
    ],
  ],
  [
    'an unknown anchor',
    changed('{ alpha: n1, beta: n2 }', '*where'),
    [
      "two.yaml:30:12: unknown anchor 'where' (define an anchor before its aliases)",
      'two.yaml:30:12: placements.initial: expected a map, found nothing (ROUTER: NODE for each router of the VN)',
    ],
  ],
  ['__proto__', changed('n1: {}', 'n1: {}\n    __proto__: {}'), ["two.yaml:6:5: unknown key '__proto__'"]],
  [
    'names of object properties',
    changed('vnet:', 'constructor: 1\ntoString: 2\nvnet:'),
    [
      `two.yaml:2:1: unknown key 'constructor' (known keys: ${allKeys})`,
      `two.yaml:3:1: unknown key 'toString' (known keys: ${allKeys})`,
    ],
  ],
];

describe('faults of structure', () => {
  it('the good file has no faults', () => {
    expect(faultsOf(goodFile)).toEqual([]);
  });

  it.each(cases)('checkSlice reports %s', (_, text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  it.each(['1', '1e3', '0x10', '0o17', '010', 'true'])('a hint suggests quotes to make %s a name', (text) => {
    const faults = faultsOf(
      changed('[alpha, beta]\n', `[${text}, beta]\n`)
        .replaceAll('alpha', text)
        .replace(`{ ${text}: n1`, `{ '${text}': n1`),
    );
    expect(faults.map((fault) => fault.replace(/: expected.*\(/, ': ('))).toEqual([
      `two.yaml:18:13: vn.routers[0]: (write it in quotes: '${text}')`,
      `two.yaml:20:8: vn.links[0][0]: (write it in quotes: '${text}')`,
      `two.yaml:22:32: vn.gateways.west.router: (write it in quotes: '${text}')`,
    ]);
  });

  it('a hint suggests quotes only if they make the value valid', () => {
    expect(faultsOf(changed('slice: two', 'slice: -1'))).toEqual([
      `two.yaml:1:8: slice: expected a slice name, found the number -1 (name of the slice: ${lowerRule})`,
    ]);
    expect(faultsOf(changed('vnet: 10.64.0.0/16', 'number: 7_\nvnet: 10'))).toEqual([
      "two.yaml:2:9: number: expected a number, found '7_' (keeps slices on one node apart, 1 to 4095; made from the name if left out)",
      "two.yaml:3:7: vnet: expected an IPv4 prefix, found the number 10 (the slice's private subnet, like 10.65.0.0/16)",
    ]);
  });

  it('a hint suggests a number without quotes', () => {
    expect(faultsOf(changed('vnet:', "number: '7'\nvnet:"))).toEqual([
      "two.yaml:2:9: number: expected a number, found '7' (write it without quotes: 7)",
    ]);
  });

  it('a key that is not a plain word is shown in quotes, on one line', () => {
    expect(faultsOf(changed('beta: n2 }', 'beta: n2, "a.b\\n": [] }'))).toContainEqual(
      expect.stringMatching(/^two\.yaml:30:44: placements\.initial\.'a\.b\\u000a': expected a node name, found a list/),
    );
  });

  it('positions are right in files with CRLF and a byte order mark', () => {
    expect(faultsOf(`\uFEFF${changed('n2, 120', 'n9, 120').replaceAll('\n', '\r\n')}`)).toEqual([
      "two.yaml:15:14: substrate.latency.links[1][1]: unknown node 'n9' (known nodes: n1, n2, gw1, gw2, h1, h2)",
    ]);
  });

  it('a file may have up to a hundred aliases', () => {
    const withAliases = (count: number) =>
      changed(
        '  initial: {',
        `${Array.from({ length: count }, (_, i) => `  p${i}: *where\n`).join('')}  initial: {`,
      ).replace('placements:', 'placements:\n  first: &where { alpha: n1, beta: n2 }');
    expect(faultsOf(withAliases(100))).toEqual([]);
    expect(faultsOf(withAliases(102))).toEqual([
      'two.yaml:131:9: more than 100 aliases (write the values out)',
      'two.yaml:131:9: placements.p100: expected a map, found nothing (ROUTER: NODE for each router of the VN)',
      'two.yaml:132:9: placements.p101: expected a map, found nothing (ROUTER: NODE for each router of the VN)',
    ]);
  });

  it('a file that is nested too deeply is reported once', () => {
    const faults = faultsOf('['.repeat(20_000));
    expect(faults.map((fault) => fault.replace(/:\d+: /, ':N: '))).toEqual([
      'two.yaml:1:N: the file is nested too deeply',
    ]);
  });
});
