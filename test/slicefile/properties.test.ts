import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { formatPrefix } from '../../src/model/address.ts';
import { VnmError } from '../../src/model/errors.ts';
import type { Slice, VirtualNetwork } from '../../src/model/slice.ts';
import { checkSlice, parseSlice } from '../../src/slicefile/index.ts';

const directory = new URL('../../slices/', import.meta.url);
const texts = readdirSync(directory).map((file) => readFileSync(new URL(file, directory), 'utf8'));

/** Text that a typo may put into a file. */
const scraps = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\n',
    '\t',
    ':',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ', ',
    '#',
    '"',
    "'",
    '|',
    '&a ',
    '*a',
    '!t ',
    '? ',
    '---\n',
  ),
  fc.constantFrom(
    'null',
    '~',
    '0',
    '-1',
    '1e400',
    '.nan',
    'true',
    '__proto__: ',
    'constructor',
    'vns: ',
    'slice',
    '\u0000',
    '\ud800',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

/** A text with a few replaced parts. */
const mutated = fc
  .tuple(
    fc.constantFrom(...texts),
    fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(30), scraps), { minLength: 1, maxLength: 4 }),
  )
  .map(([text, edits]) =>
    edits.reduce((edited, [where, length, scrap]) => {
      const start = Math.floor(where * edited.length);
      return edited.slice(0, start) + scrap + edited.slice(start + length);
    }, text),
  );

/** A text with removed, doubled or moved lines. */
const shuffled = fc
  .tuple(
    fc.constantFrom(...texts),
    fc.array(fc.tuple(fc.nat(80), fc.nat(80), fc.boolean()), { minLength: 1, maxLength: 4 }),
  )
  .map(([text, moves]) =>
    moves
      .reduce((lines, [from, to, keep]) => {
        const line = lines[from % lines.length]!;
        const rest = keep ? lines : lines.toSpliced(from % lines.length, 1);
        return rest.toSpliced(to % (rest.length + 1), 0, line);
      }, text.split('\n'))
      .join('\n'),
  );

describe('any text', () => {
  it.each([
    ['a text with typos', mutated],
    ['a text with moved lines', shuffled],
    ['a text of any characters', fc.string({ unit: 'binary', maxLength: 200 })],
  ])('%s is a slice or has faults inside it', (_, anyText) => {
    fc.assert(
      fc.property(anyText, (text) => {
        const checked = checkSlice(text, 'any.yaml');
        if ('slice' in checked) {
          expect(parseSlice(text, 'any.yaml')).toEqual(checked.slice);
          return;
        }
        expect(checked.faults.length).toBeGreaterThan(0);
        const lines = text.split('\n').length;
        expect(checked.faults.filter(({ message, hint }) => /\p{Cc}/u.test(`${message}${hint}`))).toEqual([]);
        expect(checked.faults.filter(({ line, column }) => line < 1 || line > lines || column < 1)).toEqual([]);
        expect(() => parseSlice(text, 'any.yaml')).toThrow(VnmError);
      }),
      { numRuns: 300 },
    );
  });
});

const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,7}$/);

/** Slices in which node `r0` has router `r0` in the first placement, and so on; names of the routers are generated. */
const anySlice: fc.Arbitrary<Slice> = fc
  .record({
    sliceName: name,
    ntp: fc.uniqueArray(fc.tuple(name, fc.integer({ min: 1, max: 65_535 })), { selector: String, maxLength: 8 }),
    number: fc.integer({ min: 1, max: 4095 }),
    repair: fc.boolean(),
    routers: fc.uniqueArray(name, { minLength: 1, maxLength: 6 }),
    cost: fc.double({ min: 0.001, max: 1e6, noNaN: true }),
    latencies: fc.uniqueArray(fc.tuple(fc.nat(11), fc.nat(11), fc.nat(1000), fc.nat(1000)), {
      selector: ([a, b]) => [a, b].toSorted().join(),
      maxLength: 10,
    }),
    edges: fc.nat(4),
    rate: fc.integer({ min: 1, max: 100_000_000 }),
    priority: fc.double({ min: 0.001, max: 100, noNaN: true }),
    payload: fc.option(fc.integer({ min: 24, max: 9000 }), { nil: undefined }),
  })
  .map(({ sliceName, ntp, number, repair, routers, cost, latencies, edges, rate, priority, payload }) => {
    const indices = Array.from({ length: edges }, (_, i) => i);
    const names = [...routers.keys()].flatMap((i) => [`old${i}`, `new${i}`]);
    const nodes = [...names, ...indices.flatMap((i) => [`gw${i}`, `host${i}`])];
    const linksMs = new Map<string, Map<string, number>>();
    for (const [a, b, ms, back] of latencies) {
      const [from, to] = [nodes[a % nodes.length]!, nodes[b % nodes.length]!];
      if (from === to || linksMs.get(from)?.has(to)) continue;
      linksMs.set(from, (linksMs.get(from) ?? new Map()).set(to, ms));
      linksMs.set(to, (linksMs.get(to) ?? new Map()).set(from, back));
    }
    const vn: VirtualNetwork = {
      name: `VN_${sliceName}`,
      routers: routers.map((name) => ({ name, kind: 'static', config: {} })),
      links: routers.slice(1).map((to, i) => ({ from: routers[i]!, to, cost: i % 2 === 0 ? cost : 1 })),
      gateways: indices.map((i) => ({ name: `G${i}`, node: `gw${i}`, router: routers[i % routers.length]! })),
      endHosts: indices.map((i) => ({ name: `E_${i}`, node: `host${i}`, gateway: `G${i}` })),
      flows: indices.slice(1).map((i) => ({
        from: 'E_0',
        to: `E_${i}`,
        rateBps: rate * 10,
        priority,
        ...(payload === undefined ? {} : { payloadBytes: payload }),
      })),
      placements: new Map([
        ['initial', new Map(routers.map((router, i) => [router, `old${i}`]))],
        ['final', new Map(routers.map((router, i) => [router, `new${i}`]))],
      ]),
    };
    return {
      name: sliceName,
      number,
      vnet: { base: 10 * 2 ** 24, length: 16 },
      nodes: new Map(nodes.map((node) => [node, { name: node }])),
      latency: { defaultMs: 5, linksMs },
      ntp: ntp.map(([host, port]) => `${host}0.example.org:${port}`),
      repair,
      vns: [vn],
    };
  });

/** The slice as a file. */
function toText(slice: Slice, several: boolean): string {
  const unordered = [...slice.latency.linksMs].flatMap(([from, tos]) =>
    [...tos].filter(([to]) => from < to).map(([to, ms]) => [from, to, ms, slice.latency.linksMs.get(to)!.get(from)!]),
  );
  const vns = slice.vns.map(({ name, routers, links, gateways, endHosts, flows, placements }) => ({
    name,
    // Alternately as a name and as a map.
    routers: routers.map(({ name, kind }, i) => [name, { name, kind }, { name }][i % 3]),
    links: links.map(({ from, to, cost }) => (cost === 1 ? [from, to] : [from, to, cost])),
    gateways: Object.fromEntries(gateways.map(({ name, ...gateway }) => [name, gateway])),
    endHosts: Object.fromEntries(endHosts.map(({ name, ...endHost }) => [name, endHost])),
    flows: flows.map(({ from, to, rateBps, priority, payloadBytes }) => ({
      from,
      to,
      rate: `${rateBps / 1000}kbps`,
      priority,
      ...(payloadBytes === undefined ? {} : { payload: payloadBytes }),
    })),
    placements: Object.fromEntries([...placements].map(([name, placement]) => [name, Object.fromEntries(placement)])),
  }));
  const { placements, ...vn } = vns[0]!;
  return stringify({
    slice: slice.name,
    number: slice.number,
    vnet: formatPrefix(slice.vnet),
    ntp: slice.ntp,
    repair: slice.repair,
    substrate: {
      nodes: Object.fromEntries([...slice.nodes.keys()].map((node) => [node, {}])),
      latency: { default: slice.latency.defaultMs, links: unordered },
    },
    ...(several ? { vns } : { vn, placements }),
  });
}

describe('a slice', () => {
  it('a slice that is written to a file is read unchanged', () => {
    fc.assert(
      fc.property(anySlice, fc.boolean(), (slice, several) => {
        expect(parseSlice(toText(slice, several), 'any.yaml')).toEqual(slice);
      }),
      { numRuns: 200 },
    );
  });
});
