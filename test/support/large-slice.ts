/** Slice files of any size, the same for the same seed. */
import type { Slice } from '../../src/model/slice.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { type Random, randomOf } from '../chaos/random.ts';

export interface LargeShape {
  readonly routers: number;
  /** At least as many as routers, at most one per pair of routers: a ring, and chords between random routers. */
  readonly links: number;
  /** Each on a node of its own, at a random router, with one end host behind it. */
  readonly gateways: number;
  /** Between random end hosts, at most one per directed pair. */
  readonly flows: number;
  /** Nodes for the routers of each of the two placements, which share none; by default one per router. */
  readonly nodes?: number;
  /** Whether links have latencies, different ones in each direction; by default they have. */
  readonly latencies?: boolean;
  readonly vnet?: string;
  readonly seed?: number;
}

/** The text of a slice file `large` with one VN `large` and placements `initial` and `final`. */
export function largeSliceText(shape: LargeShape): string {
  const { routers, gateways, nodes = routers, latencies = true, vnet = '10.0.0.0/8' } = shape;
  const random = randomOf(shape.seed ?? 1, 0);
  const links = [...linksOf(shape, random)];
  const homes = upTo(gateways).map(() => `r${below(random, routers)}`);
  const placements = ['p', 'q'].map((letter) =>
    Object.fromEntries(upTo(routers).map((router) => [`r${router}`, `${letter}${router % nodes}`])),
  );
  const ends = [...links, ...homes.map((router, gateway) => [`g${gateway}`, router] as const)];
  const apart = new Set(
    placements.flatMap((placement) =>
      ends
        .map((pair) => pair.map((end) => placement[end] ?? end).sort())
        .filter(([one, other]) => one !== other)
        .map((pair) => pair.join(', ')),
    ),
  );
  const ms = () => 1 + below(random, 40_000) / 1000;
  const names = ['p', 'q'].flatMap((letter) => upTo(nodes).map((node) => `${letter}${node}`));
  const edges = upTo(gateways);
  return [
    'slice: large',
    `vnet: ${vnet}`,
    'substrate:',
    '  nodes:',
    ...[...names, ...edges.flatMap((index) => [`g${index}`, `h${index}`])].map((node) => `    ${node}: {}`),
    ...(latencies
      ? ['  latency:', '    links:', ...[...apart].map((pair) => `      - [${pair}, ${ms()}, ${ms()}]`)]
      : []),
    'vn:',
    '  name: large',
    `  routers: [${upTo(routers)
      .map((router) => `r${router}`)
      .join(', ')}]`,
    '  links:',
    ...links.map((pair) => `    - [${pair.join(', ')}, ${1 + below(random, 5)}]`),
    '  gateways:',
    ...homes.map((router, index) => `    g${index}: { node: g${index}, router: ${router} }`),
    '  endHosts:',
    ...edges.map((index) => `    e${index}: { node: h${index}, gateway: g${index} }`),
    '  flows:',
    ...[...flowsOf(shape, random)].map(
      (pair) => `    - { ${pair}, rate: ${1 + below(random, 2000)}kbps, priority: ${1 + below(random, 4)} }`,
    ),
    'placements:',
    ...placements.map((placement, index) => `  ${['initial', 'final'][index]!}: ${JSON.stringify(placement)}`),
    '',
  ].join('\n');
}

export function largeSlice(shape: LargeShape): Slice {
  return parseSlice(largeSliceText(shape), 'large.yaml');
}

function linksOf({ routers, links }: LargeShape, random: Random): Set<readonly [string, string]> {
  const known = new Map<string, readonly [string, string]>();
  const add = (one: number, other: number) => {
    const [low, high] = one < other ? [one, other] : [other, one];
    if (low !== high) known.set(`${low} ${high}`, [`r${low}`, `r${high}`]);
  };
  for (const router of upTo(routers)) add(router, (router + 1) % routers);
  const most = (routers * (routers - 1)) / 2;
  if (links < known.size || links > most) throw new RangeError(`${links} links between ${routers} routers`);
  while (known.size < links) add(below(random, routers), below(random, routers));
  return new Set(known.values());
}

function flowsOf({ gateways, flows }: LargeShape, random: Random): Set<string> {
  if (flows > gateways * (gateways - 1)) throw new RangeError(`${flows} flows between ${gateways} end hosts`);
  const known = new Set<string>();
  while (known.size < flows) {
    const [from, to] = [below(random, gateways), below(random, gateways)];
    if (from !== to) known.add(`from: e${from}, to: e${to}`);
  }
  return known;
}

function below(random: Random, count: number): number {
  return Math.floor(random.next() * count);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
