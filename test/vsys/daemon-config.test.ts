import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DaemonKind } from '../../src/model/daemon.ts';
import { VnmError } from '../../src/model/errors.ts';
import { checkDaemonConfig, protocolsIn } from '../../src/vsys/daemon-config.ts';

/** The code and the message of the refusal; undefined if the text is allowed. */
function refusalOf(kind: DaemonKind, text: string): string | undefined {
  try {
    checkDaemonConfig(kind, text);
    return undefined;
  } catch (error) {
    if (error instanceof VnmError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const allowedBird = [
  '',
  '# include "/etc/passwd";',
  '/* log "/tmp/x" all;\n include "/etc/passwd";\n*/',
  ';;\n;',
  'log stderr all;',
  'log stderr { info, warning };',
  'router id 0.1.0.1;',
  'graceful restart wait 30;',
  'debug protocols { states, events };',
  'ipv4 table spare;',
  'define mine = 10.65.0.0/16;',
  'define ours = [ 10.65.0.0/16{16,31}, 10.66.0.0/16+ ];',
  'filter f { if net ~ [ 10.0.0.0/8{8,32} ] then accept; reject; }',
  'function good(prefix p; int n) { return p.len < n; }',
  'function named() -> bool { return true; }',
  'protocol device { scan time 10; }',
  'protocol device {};',
  "protocol kernel 'spare-table' { ipv4 { table spare; export all; }; kernel table 100; learn; }",
  'protocol static { ipv4; route 10.65.9.0/24 blackhole; }',
  'protocol pipe { table master4; peer table spare; import none; }',
  'protocol ospf v2 mine { area 0 { interface "pv001-0l0a" { type ptp; password "include /etc/passwd"; }; }; }',
  'template bgp T { local as 65001; }\nprotocol bgp up from T { neighbor 10.65.0.1 as 65002; debug all; }',
  'protocol bgp { description "# no comment }"; local as 1; }',
  'protocol rip { ipv4; }\nprotocol babel { ipv4; }\nprotocol bfd { }\nprotocol direct { ipv4; }',
];

const refusedBird: readonly [text: string, refusal: string][] = [
  ['include "/etc/passwd";', "forbidden: line 1: 'include' is refused: it reads files on the node"],
  ['\n\t include\t"/etc/*.conf";', "forbidden: line 2: 'include' is refused: it reads files on the node"],
  [
    'protocol static {\n  ipv4;\ninclude "x";\n}',
    "forbidden: line 3: 'include' is refused: it reads files on the node",
  ],
  ['/* */ include "x";', "forbidden: line 1: 'include' is refused: it reads files on the node"],
  ['/* a\nb */\ninclude "x";', "forbidden: line 3: 'include' is refused: it reads files on the node"],
  ['filter f {\n#\ninclude "x";\n}', "forbidden: line 3: 'include' is refused: it reads files on the node"],
  ['\'include\' "x";', `forbidden: line 1: ''include' "x" ;' is refused: it is not on the list of allowed statements`],
  ['define x = (1;', "invalid-input: line 1: the statement 'define' does not end"],
  [
    'function f(; log "/x" all;) { }',
    `forbidden: line 1: 'function f ( ; log "/x"' is refused: it is not on the list of allowed statements`,
  ],
  ['Include "x";', "forbidden: line 1: 'Include' is refused: it reads files on the node"],
  [
    'log "/tmp/x" all;',
    'forbidden: line 1: \'log "/tmp/x" all ;\' is refused: it writes to a file or a system log of the node',
  ],
  [
    'log/**/"/tmp/x" all;',
    'forbidden: line 1: \'log "/tmp/x" all ;\' is refused: it writes to a file or a system log of the node',
  ],
  [
    'log syslog all;',
    "forbidden: line 1: 'log syslog all ;' is refused: it writes to a file or a system log of the node",
  ],
  [
    'LOG "/tmp/x" all;',
    'forbidden: line 1: \'LOG "/tmp/x" all ;\' is refused: it writes to a file or a system log of the node',
  ],
  [
    'log stderr all "/tmp/x";',
    'forbidden: line 1: \'log stderr all "/tmp/x" ;\' is refused: it writes to a file or a system log of the node',
  ],
  ['mrtdump "/tmp/x";', 'forbidden: line 1: \'mrtdump "/tmp/x" ;\' is refused: it writes to a file on the node'],
  [
    'protocol mrt { filename "/tmp/x"; period 5; }',
    'forbidden: line 1: \'protocol mrt { filename "/tmp/x" ;\' is refused: it writes to files on the node',
  ],
  [
    'protocol rpki { transport ssh { bird private key "/root/.ssh/id"; }; }',
    "forbidden: line 1: 'protocol rpki { transport ssh {' is refused: it reads key files on the node",
  ],
  [
    'watchdog timeout 1 s;',
    "forbidden: line 1: 'watchdog timeout 1 s ;' is refused: it ends the daemon, which the agent does",
  ],
  ['eval 1;', "forbidden: line 1: 'eval 1 ;' is refused: it writes to the log"],
  [
    'timeformat log "%s";',
    'forbidden: line 1: \'timeformat log "%s" ;\' is refused: it is not on the list of allowed statements',
  ],
  [
    'protocol radv { }',
    "forbidden: line 1: 'protocol radv { }' is refused: it is not on the list of allowed statements",
  ],
  // Statements that need no semicolon, so that another one could follow in what looks like the same statement.
  [
    'ipv4 table t log "/tmp/x" all;',
    'forbidden: line 1: \'ipv4 table t log "/tmp/x" all\' is refused: it is not on the list of allowed statements',
  ],
  [
    'ipv4 table t { } log "/tmp/x" all;',
    "forbidden: line 1: 'ipv4 table t { } log' is refused: it is not on the list of allowed statements",
  ],
  [
    'debug latency on mrtdump "/tmp/x";',
    'forbidden: line 1: \'debug latency on mrtdump "/tmp/x" ;\' is refused: it is not on the list of allowed statements',
  ],
  [
    'debug protocols all log "/tmp/x" all;',
    'forbidden: line 1: \'debug protocols all log "/tmp/x" all\' is refused: it is not on the list of allowed statements',
  ],
  [
    'define x = 1 { ; log "/tmp/x" all; } ;',
    "forbidden: line 1: 'define x = 1 { ;' is refused: it is not on the list of allowed statements",
  ],
  [
    'protocol static { ipv4; } log "/tmp/x" all;',
    'forbidden: line 1: \'log "/tmp/x" all ;\' is refused: it writes to a file or a system log of the node',
  ],
  [
    'protocol static log "/tmp/x" all; { }',
    'forbidden: line 1: \'protocol static log "/tmp/x" all ;\' is refused: it is not on the list of allowed statements',
  ],
  [
    'protocol static "a" { }',
    'forbidden: line 1: \'protocol static "a" { }\' is refused: it is not on the list of allowed statements',
  ],
  ['"', 'invalid-input: line 1: a string does not end in its line'],
  ['filter f { reject; }\n} log "x" all;', "invalid-input: line 2: '}' without '{'"],
  ['filter f { "}\n"; }', 'invalid-input: line 1: a string does not end in its line'],
  ['filter f { reject;', "invalid-input: line 1: the statement 'filter' does not end"],
  ['router id 1.1.1.1', "invalid-input: line 1: the statement 'router' does not end"],
  ['\n/* log', 'invalid-input: line 2: a comment does not end'],
  ['filter \u00fc { }', "invalid-input: line 1: unexpected character '\u00fc'"],
  ['# a\rinclude "x";', 'invalid-input: line 1: it has the control character \\u000d'],
  ['\n# a\0\n', 'invalid-input: line 2: it has the control character \\u0000'],
  ['\u0085', 'invalid-input: line 1: it has the control character \\u0085'],
];

const allowedFrr = [
  '',
  '! log file /tmp/x \u00fc',
  '  # do write file',
  'frr version 8.4.4\nfrr defaults datacenter\nhostname r1',
  'log stdout debugging',
  'debug ospf event',
  'ip route 10.65.9.0/24 Null0',
  'ip prefix-list mine seq 5 permit 10.65.0.0/16 le 32',
  'interface pv001-0l0a\n ip ospf cost 5\n\tip ospf bfd\nexit',
  'no ip ospf cost',
  'router ospf\n default-information originate always\n area 1 stub\n timers throttle spf 0 50 500',
  'router bgp 65001\n neighbor 10.65.0.1 remote-as 65002\n address-family ipv4 unicast\n  network 10.65.9.0/24\n exit-address-family',
  'route-map m permit 10\n match ip address prefix-list mine\n set local-preference 200\n on-match next\n call other',
  'bgp as-path access-list a seq 5 permit _65001_',
  'no zebra nexthop kernel enable\nrouter ospf\n no proactive-arp',
];

const list = 'it is not on the list of allowed lines';
const refusedFrr: readonly [text: string, refusal: string][] = [
  [
    'log file /tmp/x',
    "forbidden: line 1: 'log file /tmp/x' is refused: it writes to a file or a system log of the node",
  ],
  [
    '\n\t log  file /tmp/x',
    "forbidden: line 2: 'log file /tmp/x' is refused: it writes to a file or a system log of the node",
  ],
  ['log syslog', "forbidden: line 1: 'log syslog' is refused: it writes to a file or a system log of the node"],
  [
    'no log stdout\nno log file',
    "forbidden: line 2: 'no log file' is refused: it writes to a file or a system log of the node",
  ],
  // Abbreviations, of which FRR takes the only word that fits.
  ['lo file /tmp/x', `forbidden: line 1: 'lo file /tmp/x' is refused: ${list}`],
  ['log f /tmp/x', "forbidden: line 1: 'log f /tmp/x' is refused: it writes to a file or a system log of the node"],
  ['log st', "forbidden: line 1: 'log st' is refused: it writes to a file or a system log of the node"],
  ['log', "forbidden: line 1: 'log' is refused: it writes to a file or a system log of the node"],
  ['LOG stdout', `forbidden: line 1: 'LOG stdout' is refused: ${list}`],
  ['du bgp all /tmp/x', `forbidden: line 1: 'du bgp all /tmp/x' is refused: ${list}`],
  ['dump bgp all /tmp/x', "forbidden: line 1: 'dump bgp all /tmp/x' is refused: it writes to files on the node"],
  [
    'route-map m permit 10\n match script x',
    "forbidden: line 2: 'match script x' is refused: a script runs on the node",
  ],
  ['match scr x', "forbidden: line 1: 'match scr x' is refused: a script runs on the node"],
  [
    'zebra on-rib-process script x',
    "forbidden: line 1: 'zebra on-rib-process script x' is refused: a script runs on the node",
  ],
  [
    'no zebra nexthop kernel enable x',
    "forbidden: line 1: 'no zebra nexthop kernel enable x' is refused: a script runs on the node",
  ],
  ['do write file', "forbidden: line 1: 'do write file' is refused: it runs a command"],
  ['end', "forbidden: line 1: 'end' is refused: what follows would be commands"],
  [
    'router ospf\nexit\nexit\nstart-shell bash',
    "forbidden: line 4: 'start-shell bash' is refused: it runs a program on the node",
  ],
  [
    'exit\nexit\ncopy /etc/shadow running-config',
    "forbidden: line 3: 'copy /etc/shadow running-config' is refused: it reads or writes files on the node",
  ],
  ['exit all', `forbidden: line 1: 'exit all' is refused: ${list}`],
  [
    'banner motd file /etc/shadow',
    "forbidden: line 1: 'banner motd file /etc/shadow' is refused: it reads a file on the node",
  ],
  [
    'vrf x\n netns /run/netns/other',
    "forbidden: line 1: 'vrf x' is refused: it enters other network namespaces of the node",
  ],
  [
    ' netns /run/netns/other',
    "forbidden: line 1: 'netns /run/netns/other' is refused: it enters other network namespaces of the node",
  ],
  ['rpki', "forbidden: line 1: 'rpki' is refused: it reads key files on the node"],
  ['agentx', "forbidden: line 1: 'agentx' is refused: it connects to a program on the node"],
  ['line vty', "forbidden: line 1: 'line vty' is refused: it opens a way to log in"],
  ['password x', "forbidden: line 1: 'password x' is refused: it opens a way to log in"],
  [
    'service integrated-vtysh-config',
    "forbidden: line 1: 'service integrated-vtysh-config' is refused: it changes how files on the node are written",
  ],
  ['no ip forwarding', `forbidden: line 1: 'no ip forwarding' is refused: ${list}`],
  ['ip address 10.65.0.9/24', `forbidden: line 1: 'ip address 10.65.0.9/24' is refused: ${list}`],
  ['router isis x', `forbidden: line 1: 'router isis x' is refused: ${list}`],
  ['no no log stdout', `forbidden: line 1: 'no no log stdout' is refused: ${list}`],
  ['no', `forbidden: line 1: 'no' is refused: ${list}`],
  ['router ospf\n proactive-arp', `forbidden: line 2: 'proactive-arp' is refused: ${list}`],
  ['description \u00fc', 'invalid-input: line 1: it has characters beyond ASCII'],
  [`description ${'x'.repeat(4090)}log file /tmp/x`, 'invalid-input: line 1: it has 4117 bytes'],
  [`! ${'x'.repeat(4094)}log file /tmp/x`, 'invalid-input: line 1: it has 4111 bytes'],
  ['! a\rlog file /tmp/x', 'invalid-input: line 1: it has the control character \\u000d'],
  ['hostname a\vlog file /tmp/x', 'invalid-input: line 1: it has the control character \\u000b'],
];

describe('a configuration of BIRD', () => {
  test.each(allowedBird)('%j is allowed', (text) => expect(refusalOf('bird', text)).toBeUndefined());
  test.each(refusedBird)('%j is refused', (text, refusal) => expect(refusalOf('bird', text)).toBe(refusal));

  test('a refusal names the allowed statements', () => {
    expect(() => checkDaemonConfig('bird', 'eval 1;')).toThrow(
      expect.objectContaining({
        hint: expect.stringMatching(/^allowed: protocol and template \(device, .*babel\), filter/),
      }),
    );
  });

  test('a dangerous statement is found between any allowed ones', () => {
    const dangerous = fc.constantFrom('log "/x" all;', 'mrtdump "/x";', 'include "x";', 'protocol mrt { }', 'eval 1;');
    const gap = fc.constantFrom('', ' ', '\n', '\n\t', '/* } " */', '# {\n', ';');
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...allowedBird)),
        fc.array(fc.constantFrom(...allowedBird)),
        dangerous,
        gap,
        gap,
        (before, after, statement, one, other) => {
          const text = `${before.join('\n')}\n${one}${statement}${other}\n${after.join('\n')}`;
          expect(refusalOf('bird', text)).toMatch(/^forbidden: /);
          expect(refusalOf('bird', [...before, ...after].join('\n'))).toBeUndefined();
        },
      ),
    );
  });

  test('any text is allowed or refused, and include is in none that is allowed', () => {
    const word = fc.constantFrom(
      'include',
      '"x"',
      ';',
      '{',
      '}',
      '\n',
      ' ',
      '/*',
      '*/',
      '#',
      "'",
      '"',
      'log',
      'filter f {',
      'stderr',
      'all',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        const text = words.join('');
        if (refusalOf('bird', text) !== undefined) return;
        // What BIRD's lexer takes for an include, where it is not in a comment.
        const bare = text.replaceAll(/"[^"\n]*"|#[^\n]*|\/\*[\s\S]*?\*\//g, (match) =>
          match.startsWith('"') ? '""' : ' ',
        );
        expect(bare).not.toMatch(/^[ \t]*include[ \t]*"/m);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a configuration of FRR', () => {
  test.each(allowedFrr)('%j is allowed', (text) => expect(refusalOf('frr', text)).toBeUndefined());
  test.each(refusedFrr)('%j is refused', (text, refusal) => expect(refusalOf('frr', text)).toBe(refusal));

  test('a dangerous line is found between any allowed ones, with its number', () => {
    const lines = allowedFrr.flatMap((text) => text.split('\n'));
    const dangerous = fc.constantFrom(
      'log file /x',
      'dump bgp all /x',
      'do write',
      'end',
      'start-shell',
      'match script x',
    );
    const indent = fc.constantFrom('', ' ', '\t', '   \t');
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...lines)),
        fc.array(fc.constantFrom(...lines)),
        dangerous,
        indent,
        (before, after, line, space) => {
          const refusal = refusalOf('frr', [...before, space + line, ...after].join('\n'));
          expect(refusal).toContain(`forbidden: line ${before.length + 1}: '${line}' is refused`);
        },
      ),
    );
  });
});

test('a configuration beyond its size is refused', () => {
  const text = `${'!'.repeat(1000)}\n`.repeat(600);
  expect(refusalOf('frr', text)).toBe('invalid-input: the configuration has 600600 bytes');
});

test('the protocols of a configuration are found', () => {
  expect(protocolsIn('frr', '! router bgp 1\n router  ospf\n')).toEqual(['ospf']);
  expect(protocolsIn('frr', 'router bgp 1\nrouter ospf\n')).toEqual(['ospf', 'bgp']);
  expect(protocolsIn('bird', '# protocol ospf\nprotocol bgp x { }')).toEqual(['bgp']);
  expect(protocolsIn('bird', 'protocol static { }')).toEqual([]);
});
