import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Slice, VirtualLink } from '../../src/model/slice.ts';
import { parseSlice, readSlice } from '../../src/slicefile/index.ts';

/** Returns the path of a slice file of the gallery. */
export function gallery(name: string): string {
  return fileURLToPath(new URL(`../../slices/${name}.yaml`, import.meta.url));
}

/** Returns the path of a slice file of the experiments. */
export function experimentSlice(name: string): string {
  return fileURLToPath(new URL(`../../experiments/slices/${name}.yaml`, import.meta.url));
}

/** The three-node slice with all routers of its initial placement on one node: only links of gateways cross nodes. */
export function sharedNode(): Slice {
  const slice = readSlice(gallery('three-node'));
  const vns = slice.vns.map((vn) => {
    const initial = vn.placements.get('initial')!;
    const [node] = initial.values();
    const together = new Map([...initial.keys()].map((router) => [router, node!]));
    return { ...vn, placements: new Map([...vn.placements, ['initial', together]]) };
  });
  return { ...slice, vns };
}

/** A random connected VN of up to 8 routers, with gateways and end hosts at some of them, and two placements. */
export const arbitrarySlice: fc.Arbitrary<Slice> = fc
  .record({
    routers: fc.integer({ min: 1, max: 8 }),
    costs: fc.array(fc.constantFrom(1, 1, 2, 5, 0.1, 0.2, 0.3), { minLength: 40, maxLength: 40 }),
    extra: fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 8 }),
    gateways: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 4 }),
    parents: fc.array(fc.nat(7), { minLength: 8, maxLength: 8 }),
    places: fc.array(fc.nat(9), { minLength: 16, maxLength: 16 }),
  })
  .map(({ routers, costs, extra, gateways, parents, places }) => {
    const links: VirtualLink[] = [];
    const add = (a: number, b: number) => {
      const [from, to] = [`r${a}`, `r${b}`];
      const known = links.some((l) => (l.from === from && l.to === to) || (l.from === to && l.to === from));
      if (a !== b && a < routers && b < routers && !known) links.push({ from, to, cost: costs[links.length]! });
    };
    for (let router = 1; router < routers; router += 1) add(parents[router]! % router, router);
    for (const [a, b] of extra) add(a, b);
    const used = gateways.filter((router) => router < routers);
    const names = Array.from({ length: routers }, (_, index) => `r${index}`);
    const place = (offset: number) => names.map((name, index) => `${name}: n${places[offset + index]}`).join(', ');
    const text = [
      'slice: random',
      'vnet: 10.20.0.0/16',
      'substrate:',
      '  nodes:',
      ...Array.from({ length: 10 }, (_, index) => `    n${index}: {}`),
      ...used.flatMap((router) => [`    g${router}: {}`, `    h${router}: {}`]),
      'vn:',
      '  name: random',
      `  routers: [${names.join(', ')}]`,
      `  links: [${links.map(({ from, to, cost }) => `[${from}, ${to}, ${cost}]`).join(', ')}]`,
      `  gateways: {${used.map((router) => `gw${router}: { node: g${router}, router: r${router} }`).join(', ')}}`,
      `  endHosts: {${used.map((router) => `e${router}: { node: h${router}, gateway: gw${router} }`).join(', ')}}`,
      '  flows: []',
      'placements:',
      `  initial: {${place(0)}}`,
      `  final: {${place(8)}}`,
    ].join('\n');
    return parseSlice(text, 'random.yaml');
  });
