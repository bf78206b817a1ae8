import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkSlice, formatFault, parseSlice, readSlice } from '../../src/slicefile/index.ts';
import { changed, goodFile } from './support/faults.ts';

const files = new Map([
  ['own.conf', 'define mine = 7;\n'],
  ['bad.conf', '# first\nlog "/tmp/x" all;\n'],
  ['frr.conf', 'ip prefix-list mine seq 5 permit any\n'],
]);

function read(name: string): string {
  const text = files.get(name);
  if (text === undefined) throw Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
  return text;
}

const faultsOf = (text: string) => {
  const checked = checkSlice(text, 'two.yaml', read);
  return 'faults' in checked ? checked.faults.map(formatFault) : [];
};

/** The good file with these routers, and more keys of the VN. */
const withRouters = (routers: string, more = '') => {
  const keys = more === '' ? '' : `  ${more}\n`;
  return changed('  routers: [alpha, beta]\n', `  routers: ${routers}\n${keys}`);
};
const ospf = 'routing: { protocol: ospf }';
const both = '[{ name: alpha, kind: bird }, { name: beta, kind: frr }]';

describe('routing daemons in a slice file', () => {
  it('routing has the defaults of OSPF', () => {
    expect(parseSlice(withRouters(both, ospf), 'two.yaml').vns[0]).toMatchObject({
      routers: [
        { name: 'alpha', kind: 'bird', config: {} },
        { name: 'beta', kind: 'frr', config: {} },
      ],
      routing: { protocol: 'ospf', helloS: 10, deadS: 40 },
    });
    const fast = parseSlice(withRouters(both, 'routing: { protocol: ospf, hello: 1, dead: 4 }'), 'two.yaml');
    expect(fast.vns[0]!.routing).toEqual({ protocol: 'ospf', helloS: 1, deadS: 4 });
    expect(parseSlice(goodFile, 'two.yaml').vns[0]).not.toHaveProperty('routing');
  });

  it('the configuration of BGP and the text of a file become part of the router', () => {
    const routers = `
    - { name: alpha, kind: bird, config: own.conf, bgp: { as: 65001, neighbours: [{ router: beta }] } }
    - { name: beta, kind: frr, bgp: { as: 65002, neighbours: [{ address: 10.64.0.3, as: 65010 }] } }`;
    expect(parseSlice(withRouters(routers), 'two.yaml', read).vns[0]!.routers).toEqual([
      {
        name: 'alpha',
        kind: 'bird',
        config: { text: 'define mine = 7;\n', bgp: { as: 65001, neighbours: [{ router: 'beta' }] } },
      },
      { name: 'beta', kind: 'frr', config: { bgp: { as: 65002, neighbours: [{ address: '10.64.0.3', as: 65010 }] } } },
    ]);
  });

  const kindHint = 'give the routers kind: bird or kind: frr';
  const nothing = 'give the VN routing: { protocol: ospf }, or the router bgp or config';
  const alpha = (more: string) => `[{ name: alpha, kind: bird, ${more} }, { name: beta, kind: bird }]`;
  const neighbours = (text: string) => alpha(`bgp: { as: 65001, neighbours: [${text}] }`);

  it.each([
    [
      'without anything to do',
      withRouters('[{ name: alpha, kind: bird, bgp: { as: 1 } }, { name: beta, kind: frr }]'),
      [`two.yaml:18:78: vn.routers[1].kind: router 'beta' has nothing to do (${nothing})`],
    ],
    [
      'next to a static router',
      withRouters('[alpha, { name: beta, kind: frr }]', ospf),
      [
        "two.yaml:18:13: vn.routers[0]: VN 'two' has static router 'alpha' and router 'beta' with a routing daemon (a static router tells no routes: give all routers kind: bird or frr, or none)",
      ],
    ],
    [
      'of none, but routing',
      withRouters('[alpha, beta]', ospf),
      [`two.yaml:19:3: routing, but no router has a routing daemon (${kindHint})`],
    ],
    [
      'of static routers',
      withRouters('[{ name: alpha, config: own.conf }, { name: beta, kind: static, bgp: { as: 1 } }]'),
      [
        `two.yaml:18:28: router 'alpha' is static and has no config (${kindHint})`,
        `two.yaml:18:76: router 'beta' is static and has no bgp (${kindHint})`,
      ],
    ],
    [
      'with neighbours that are gone between two hello packets',
      withRouters(both, 'routing: { protocol: ospf, hello: 40 }'),
      [
        'two.yaml:19:12: vn.routing: neighbours would be gone after 40 s, with hello packets every 40 s (dead must be larger than hello, usually four times)',
      ],
    ],
    [
      'with another protocol',
      withRouters(both, 'routing: { protocol: isis, hello: 0 }'),
      [
        "two.yaml:19:24: vn.routing.protocol: unknown routing protocol 'isis' (ospf)",
        'two.yaml:19:37: vn.routing.hello: 0 is too small (seconds between two hello packets, 1 to 65535; 10 if left out)',
      ],
    ],
    [
      'with costs that OSPF does not have',
      withRouters(both, ospf).replace('- [alpha, beta]', '- [alpha, beta, 0.5]'),
      ['two.yaml:21:21: vn.links[0][2]: OSPF has no cost 0.5 (a whole number, 1 to 65535)'],
    ],
    [
      'on a node with the userspace data plane',
      withRouters(both, ospf).replaceAll(/(n1|n2|gw1|gw2|h1|h2): \{\}/g, '$1: { dataplane: userspace }'),
      [
        "two.yaml:31:21: placements.initial.alpha: router 'alpha' of kind 'bird' on node 'n1' with the userspace data plane (its routers run no programs: use the kernel data plane)",
      ],
    ],
    [
      'with an unreadable file',
      withRouters(alpha('config: none.conf'), ospf),
      [
        "two.yaml:18:48: vn.routers[0].config: cannot read 'none.conf': no such file (give a text file of at most 256 KiB; its name is relative to the slice file)",
      ],
    ],
    [
      'with a statement that is refused',
      withRouters(alpha('config: bad.conf'), ospf),
      [
        expect.stringMatching(
          /^two.yaml:18:48: vn.routers\[0\].config: 'bad.conf', line 2: 'log "\/tmp\/x" all ;' is refused: it writes to a file or a system log of the node \(allowed: /,
        ),
      ],
    ],
    [
      "with another daemon's file",
      withRouters(alpha('config: frr.conf'), ospf),
      [
        expect.stringMatching(
          /^two.yaml:18:48: vn.routers\[0\].config: 'frr.conf', line 1: the statement 'ip' does not end/,
        ),
      ],
    ],
    [
      'with neighbours that are neither a router nor an address',
      withRouters(neighbours('{}, { router: beta, as: 65002 }, { address: 10.64.0.1 }'), ospf).replace(
        '{ name: beta, kind: bird }',
        '{ name: beta, kind: bird, bgp: { as: 65002 } }',
      ),
      ['71', '75', '104'].map(
        (column, index) =>
          `two.yaml:18:${column}: vn.routers[0].bgp.neighbours[${index}]: a neighbour is either a router, or an address with as (the router itself says which as it has)`,
      ),
    ],
    [
      'with neighbours that do not exist, or are the router itself, or have no bgp',
      withRouters(neighbours('{ router: gamma }, { router: alpha }, { router: beta }'), ospf),
      [
        "two.yaml:18:81: vn.routers[0].bgp.neighbours[0].router: unknown router 'gamma' (known routers: alpha, beta)",
        "two.yaml:18:100: vn.routers[0].bgp.neighbours[1].router: no link joins routers 'alpha' and 'alpha' (a session runs over a link; others need a config file)",
        "two.yaml:18:119: vn.routers[0].bgp.neighbours[2].router: router 'beta' has no bgp (give it bgp: { as: NUMBER })",
      ],
    ],
    [
      'with a neighbour twice',
      withRouters(neighbours('{ address: 10.64.0.1, as: 1 }, { address: 10.64.0.1, as: 2 }'), ospf),
      ['two.yaml:18:102: vn.routers[0].bgp.neighbours[1]: this neighbour is listed twice (list each neighbour once)'],
    ],
    [
      'with a neighbour that is no end host of its own',
      withRouters(neighbours('{ address: 10.64.0.3, as: 65010 }'), ospf),
      [
        "two.yaml:18:82: vn.routers[0].bgp.neighbours[0].address: '10.64.0.3' is no end host behind a gateway of router 'alpha' (its end hosts: 10.64.0.1)",
      ],
    ],
    [
      'with an impossible number of a system',
      withRouters(alpha('bgp: { as: 0 }'), ospf),
      ['two.yaml:18:51: vn.routers[0].bgp.as: 0 is too small (number of an autonomous system, 1 to 4294967294)'],
    ],
  ] as const)('routing daemons %s have faults with positions', (_, text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  it('a VN among several has the same checks', () => {
    const text = withRouters(alpha('bgp: { as: 1, neighbours: [{ address: 10.64.0.9, as: 2 }] }'), ospf)
      .replace('vn:\n  name', 'vns:\n- name')
      .replace('placements:\n  initial', '  placements:\n    initial');
    expect(faultsOf(text)).toEqual([
      "two.yaml:18:78: vns[0].routers[0].bgp.neighbours[0].address: '10.64.0.9' is no end host behind a gateway of router 'alpha' (its end hosts: 10.64.0.1)",
    ]);
  });
});

describe('configuration files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-configs-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const slice = (name: string) => {
    const file = join(directory, 'slice.yaml');
    writeFileSync(
      file,
      withRouters(`[{ name: alpha, kind: bird, config: ${name} }, { name: beta, kind: bird }]`, ospf),
    );
    return file;
  };

  it('a name is relative to the slice file', () => {
    mkdirSync(join(directory, 'conf'));
    writeFileSync(join(directory, 'conf', 'alpha.conf'), 'define mine = 7;\n');
    expect(readSlice(slice('conf/alpha.conf')).vns[0]!.routers[0]!.config).toEqual({ text: 'define mine = 7;\n' });
  });

  it.each([
    ['too large', Buffer.alloc(256 * 1024 + 1, '\n'), 'it is larger than 256 KiB'],
    ['not UTF-8', Buffer.from([0x23, 0xff, 0x0a]), 'it is not UTF-8 text'],
  ])('a file that is %s is refused', (_, content, reason) => {
    writeFileSync(join(directory, 'own.conf'), content);
    expect(() => readSlice(slice('own.conf'))).toThrow(
      `:18:48: vn.routers[0].config: cannot read 'own.conf': ${reason} (`,
    );
  });

  it('a directory is refused', () => {
    expect(() => readSlice(slice('.'))).toThrow("cannot read '.': it is a directory (");
  });
});
