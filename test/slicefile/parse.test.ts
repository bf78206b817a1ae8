import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatPrefix, parsePrefix } from '../../src/model/address.ts';
import { VnmError } from '../../src/model/errors.ts';
import { declaredLatencyMs, defaultSliceNumber } from '../../src/model/slice.ts';
import { checkSlice, checkSubnets, parseSlice, readSlice } from '../../src/slicefile/index.ts';
import { parseRate } from '../../src/slicefile/rate.ts';
import { changed, goodFile } from './support/faults.ts';

describe('parseSlice', () => {
  it('parseSlice adds defaults for omitted keys', () => {
    expect(parseSlice(goodFile, 'two.yaml')).toEqual({
      name: 'two',
      number: defaultSliceNumber('two'),
      vnet: parsePrefix('10.64.0.0/16'),
      nodes: new Map(['n1', 'n2', 'gw1', 'gw2', 'h1', 'h2'].map((name) => [name, { name }])),
      latency: {
        defaultMs: 10,
        linksMs: new Map([
          ['gw1', new Map([['n1', 60]])],
          [
            'n1',
            new Map([
              ['gw1', 60],
              ['n2', 120],
            ]),
          ],
          ['n2', new Map([['n1', 120]])],
        ]),
      },
      ntp: [],
      repair: true,
      vns: [
        {
          name: 'two',
          routers: [
            { name: 'alpha', kind: 'static', config: {} },
            { name: 'beta', kind: 'static', config: {} },
          ],
          links: [{ from: 'alpha', to: 'beta', cost: 1 }],
          gateways: [
            { name: 'west', node: 'gw1', router: 'alpha' },
            { name: 'east', node: 'gw2', router: 'beta' },
          ],
          endHosts: [
            { name: 'e1', node: 'h1', gateway: 'west' },
            { name: 'e2', node: 'h2', gateway: 'east' },
          ],
          flows: [{ from: 'e1', to: 'e2', rateBps: 1_500_000, priority: 1 }],
          placements: new Map([
            [
              'initial',
              new Map([
                ['alpha', 'n1'],
                ['beta', 'n2'],
              ]),
            ],
          ]),
        },
      ],
    });
  });

  it('parseSlice reads optional keys', () => {
    const text = changed('slice: two', 'slice: two\nnumber: 7')
      .replace('- [alpha, beta]', '- [alpha, beta, 2.5]')
      .replace('rate: 1.5Mbps', 'rate: 800kbps, priority: 2, payload: 512');
    const slice = parseSlice(text, 'two.yaml');
    expect(slice.number).toBe(7);
    expect(slice.vns[0]!.links).toEqual([{ from: 'alpha', to: 'beta', cost: 2.5 }]);
    expect(slice.vns[0]!.flows).toEqual([{ from: 'e1', to: 'e2', rateBps: 800_000, priority: 2, payloadBytes: 512 }]);
  });

  it('parseSlice accepts a public subnet with public: true, and private and shared ones without it', () => {
    const vnetOf = (text: string) => formatPrefix(parseSlice(changed('vnet: 10.64.0.0/16', text), 'two.yaml').vnet);
    expect(vnetOf('vnet: 8.8.0.0/16\npublic: true')).toBe('8.8.0.0/16');
    expect(vnetOf('vnet: 10.64.0.0/16\npublic: true')).toBe('10.64.0.0/16');
    for (const vnet of ['10.0.0.0/8', '172.31.0.0/16', '192.168.7.0/24', '100.127.0.0/16']) {
      expect(vnetOf(`vnet: ${vnet}\npublic: false`)).toBe(vnet);
    }
  });

  it('parseSlice keeps time servers in their order', () => {
    const servers = ['ntp1.example.org', '192.0.2.7:1123', 'ntp_2:123', '192.0.2.7'];
    expect(parseSlice(changed('vnet:', `ntp: [${servers.join(', ')}]\nvnet:`), 'two.yaml').ntp).toEqual(servers);
  });

  it.each([
    ['on', true],
    ['off', false],
    ['true', true],
    ['false', false],
    ['"off"', false],
  ])('parseSlice accepts repair: %s', (value, repair) => {
    expect(parseSlice(changed('vnet:', `repair: ${value}\nvnet:`), 'two.yaml').repair).toBe(repair);
  });

  it('parseSlice gives nodes with a host the defaults of the slice', () => {
    const text = changed('vnet:', 'ssh: { user: me, port: 2222, key: ~/.ssh/slice }\nvnet:')
      .replace('n1: {}', 'n1: { host: node1.example.org }')
      .replace('n2: {}', 'n2: { host: 192.0.2.7, user: you, port: 22, address: 192.0.2.8 }');
    const { nodes } = parseSlice(text, 'two.yaml');
    expect(nodes.get('n1')).toEqual({
      name: 'n1',
      host: 'node1.example.org',
      user: 'me',
      port: 2222,
      key: '~/.ssh/slice',
    });
    expect(nodes.get('n2')).toEqual({
      name: 'n2',
      host: '192.0.2.7',
      user: 'you',
      port: 22,
      key: '~/.ssh/slice',
      address: '192.0.2.8',
    });
    expect(nodes.get('h1')).toEqual({ name: 'h1' });
  });

  it('parseSlice gives every node the patience of the slice, unless it has its own', () => {
    const text = changed('vnet:', 'ssh: { user: me, patience: 60 }\nvnet:').replace(
      'n1: {}',
      'n1: { host: node1.example.org, patience: 90 }',
    );
    const { nodes } = parseSlice(text, 'two.yaml');
    expect(nodes.get('n1')).toMatchObject({ user: 'me', patience: 90 });
    expect(nodes.get('h1')).toEqual({ name: 'h1', patience: 60 });
    expect(() => parseSlice(changed('vnet:', 'ssh: { patience: 0 }\nvnet:'), 'two.yaml')).toThrow(/patience/);
  });

  it('parseSlice reads a latency for each direction, with a default of 0', () => {
    const { latency } = parseSlice(changed('60]', '60, 70]').replace('    default: 10\n', ''), 'two.yaml');
    expect(declaredLatencyMs(latency, 'gw1', 'n1')).toBe(60);
    expect(declaredLatencyMs(latency, 'n1', 'gw1')).toBe(70);
    expect(declaredLatencyMs(latency, 'h1', 'n1')).toBe(0);
    const none = parseSlice(goodFile.replace(/ {2}latency:.*(?=vn:)/s, ''), 'two.yaml').latency;
    expect(none).toEqual({ defaultMs: 0, linksMs: new Map() });
  });

  it('parseSlice reads quoted numbers and numeric keys as names', () => {
    const text = goodFile.replaceAll('alpha', "'1'").replaceAll('n1', "'0x10'").replace("{ '1': '0x10'", "{ 1: '0x10'");
    const vn = parseSlice(text, 'two.yaml').vns[0]!;
    expect(vn.routers.map(({ name }) => name)).toEqual(['1', 'beta']);
    expect(vn.placements.get('initial')).toEqual(
      new Map([
        ['1', '0x10'],
        ['beta', 'n2'],
      ]),
    );
  });

  it('parseSlice throws one error with a line per fault', () => {
    const text = changed('slice: two', 'slice: Two').replace('to: e2', 'to: e9');
    const error = caught(() => parseSlice(text, 'slices/two.yaml'));
    expect(error).toBeInstanceOf(VnmError);
    expect(error).toMatchObject({
      code: 'invalid-input',
      message: [
        "slices/two.yaml:1:8: slice: 'Two' is not a slice name (write 'two'; 1 to 32 of a-z, 0-9 and -, not beginning with -; it becomes part of names on the nodes)",
        "slices/two.yaml:28:23: vn.flows[0].to: unknown end host 'e9' (known end hosts: e1, e2)",
      ].join('\n'),
    });
  });
});

describe('checkSlice', () => {
  it('checkSlice returns faults as data, without a hint if there is none', () => {
    expect(checkSlice(changed('n1: {}', 'n1: {}\n    __proto__: {}'), 'two.yaml')).toEqual({
      faults: [{ file: 'two.yaml', line: 6, column: 5, message: "unknown key '__proto__'" }],
    });
  });
});

describe('readSlice', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'slicefile-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('readSlice reads a file and names it in faults', () => {
    const path = join(directory, 'two.yaml');
    writeFileSync(path, goodFile);
    expect(readSlice(path)).toEqual(parseSlice(goodFile, path));
    writeFileSync(path, changed('to: e2', 'to: e9'));
    expect(caught(() => readSlice(path))).toMatchObject({
      message: `${path}:28:23: vn.flows[0].to: unknown end host 'e9' (known end hosts: e1, e2)`,
    });
  });

  it('readSlice reports which file it cannot read and why', () => {
    const binary = join(directory, 'binary.yaml');
    writeFileSync(binary, Buffer.from([0x61, 0xff, 0xfe]));
    const reasons = [
      [join(directory, 'none.yaml'), 'no such file'],
      [directory, 'it is a directory'],
      [binary, 'it is not UTF-8 text'],
    ] as const;
    for (const [path, reason] of reasons) {
      const error = caught(() => readSlice(path));
      expect(error).toBeInstanceOf(VnmError);
      expect(error).toMatchObject({
        code: 'invalid-input',
        message: `cannot read the slice file ${path}: ${reason}`,
        cause: expect.any(Error),
      });
    }
  });
});

describe('checkSubnets', () => {
  it('checkSubnets reports overlapping subnets at the later slice', () => {
    const read = (name: string, vnet: string) => {
      const text = changed('slice: two', `slice: ${name}`).replace('10.64.0.0/16', vnet);
      const checked = checkSlice(text, `${name}.yaml`);
      if ('faults' in checked) throw new Error('the file has faults');
      return { file: `${name}.yaml`, slice: checked.slice, at: checked.vnetAt };
    };
    const one = read('one', '10.64.0.0/16');
    const two = read('two', '10.65.0.0/16');
    const three = read('three', '10.65.128.0/17');
    expect(checkSubnets([one, two])).toEqual([]);
    expect(checkSubnets([one, two, three])).toEqual([
      {
        file: 'three.yaml',
        line: 2,
        column: 7,
        key: 'vnet',
        message: "overlapping subnets: vnet 10.65.128.0/17 and 10.65.0.0/16 of slice 'two' in two.yaml",
        hint: 'give each slice its own subnet',
      },
    ]);
    expect(checkSubnets([three, { file: 'two.yaml', slice: two.slice }])[0]).toMatchObject({ line: 1, column: 1 });
  });
});

describe('parseRate', () => {
  it.each([
    ['1.5Mbps', 1_500_000],
    ['800kbps', 800_000],
    ['2Gbps', 2e9],
    ['500bps', 500],
    ['1.1Mb/s', 1_100_000],
    ['0.5 kbit/s', 500],
    ['100Gbps', 1e11],
  ])('parseRate converts %s to %d bit/s', (text, rateBps) => {
    expect(parseRate(text)).toBe(rateBps);
  });

  it.each(['', 'Mbps', '1.5', '-1Mbps', '1.5mbps', '1,5Mbps', '1.5Mbps ', '1e3bps', '.5Mbps', '1.5Kbps'])(
    'parseRate refuses %j',
    (text) => {
      expect(() => parseRate(text)).toThrow(`'${text}' is not a rate`);
    },
  );
});

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
