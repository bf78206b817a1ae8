import type { GatewayName, RouterName } from '../model/names.ts';
import { onceFor } from '../model/once.ts';
import { routerNames } from '../model/router.ts';
import { gatewayOf, type VirtualLink, type VirtualNetwork } from '../model/slice.ts';

/** The shortest paths between routers. */
export interface Paths {
  /** The index of the first link of the path; undefined if there is no path, or nothing to pass. */
  firstLink(from: RouterName, to: RouterName): number | undefined;
  /** The routers on the path, both ends included; empty if there is no path. */
  between(from: RouterName, to: RouterName): RouterName[];
}

/** The paths of a VN, computed once. */
export const pathsOf = onceFor((vn: VirtualNetwork) => shortestPaths(routerNames(vn), vn.links));

/**
 * Computes shortest paths by link cost, from each router when it is first asked for. Ties are broken the same way in
 * both directions: of two paths with the same cost, the heavier one is that with the last of the links that only one of
 * them has. So no two paths weigh the same, the path back is the reverse of the path there, and strict reverse-path
 * checks inside the VN pass (the paper, section II-B).
 */
export function shortestPaths(routers: readonly RouterName[], links: readonly VirtualLink[]): Paths {
  const numbers = new Map(routers.map((router, number) => [router, number]));
  const graph = graphOf(routers.length, numbers, links);
  const trees: (Tree | undefined)[] = routers.map(() => undefined);
  const treeFrom = (source: number): Tree => {
    trees[source] ??= growTree(graph, source);
    return trees[source];
  };
  return {
    firstLink: (from, to) => {
      const [source, destination] = [numbers.get(from), numbers.get(to)];
      if (source === undefined || destination === undefined) return undefined;
      const link = treeFrom(source).first[destination]!;
      return link < 0 ? undefined : link;
    },
    between: (from, to) => {
      const [source, destination] = [numbers.get(from)!, numbers.get(to)!];
      const { parent } = treeFrom(source);
      const path: RouterName[] = [];
      for (let at = destination; at !== source; at = parent[at]!) {
        if (parent[at]! < 0) return [];
        path.push(routers[at]!);
      }
      return [...path, from].reverse();
    },
  };
}

/** The routers on the configured path from one gateway to another, in order. */
export function routersBetween(vn: VirtualNetwork, from: GatewayName, to: GatewayName): RouterName[] {
  return pathsOf(vn).between(gatewayOf(vn, from).router, gatewayOf(vn, to).router);
}

/**
 * The links of an instance (as indices) between each pair of gateways: the virtual links on the configured path, and
 * the links of the two gateways. The way back uses the same links.
 */
export function linksBetweenGateways(vn: VirtualNetwork): { from: GatewayName; to: GatewayName; links: number[] }[] {
  const paths = pathsOf(vn);
  return vn.gateways.flatMap((from, index) =>
    vn.gateways.slice(index + 1).map((to, further) => {
      const path = paths.between(from.router, to.router);
      const virtual = path.slice(1).map((router, hop) => paths.firstLink(path[hop]!, router)!);
      const [first, last] = [index, index + 1 + further].map((gateway) => vn.links.length + gateway);
      return { from: from.name, to: to.name, links: [first!, ...virtual, last!] };
    }),
  );
}

interface Graph {
  readonly size: number;
  /** The links at each router, by their indices, with the router at the other end. */
  readonly neighbours: readonly (readonly { readonly link: number; readonly to: number }[])[];
  /** Costs to 1e-6 as integers, because sums of floats depend on their order, and so on the direction. */
  readonly costs: readonly bigint[];
}

function graphOf(size: number, numbers: ReadonlyMap<RouterName, number>, links: readonly VirtualLink[]): Graph {
  const neighbours = Array.from({ length: size }, (): { link: number; to: number }[] => []);
  for (const [link, { from, to }] of links.entries()) {
    const [a, b] = [numbers.get(from), numbers.get(to)];
    if (a === undefined || b === undefined) continue;
    neighbours[a]!.push({ link, to: b });
    neighbours[b]!.push({ link, to: a });
  }
  return { size, neighbours, costs: links.map(({ cost }) => BigInt(Math.round(cost * 1e6))) };
}

/** The shortest paths from one router, by the numbers of the others; -1: none. */
interface Tree {
  /** The router before, on the path. */
  readonly parent: Int32Array;
  /** The first link of the path. */
  readonly first: Int32Array;
}

/** A path: the one to a router of the tree, and one link more. */
interface Candidate {
  readonly cost: bigint;
  readonly before: number;
  readonly link: number;
  readonly to: number;
}

/** Dijkstra's algorithm. */
function growTree({ size, neighbours, costs }: Graph, source: number): Tree {
  const parent = new Int32Array(size).fill(-1);
  const first = new Int32Array(size).fill(-1);
  const lastLink = new Int32Array(size).fill(-1);
  const depth = new Int32Array(size).fill(-1);
  const least: bigint[] = [];

  /** Whether the last of the links that only one of two paths has is in `two`. */
  const hasLighterLinks = (one: Candidate, two: Candidate): boolean => {
    let [a, b] = [one.before, two.before];
    let [lastOfOne, lastOfTwo] = [one.link, two.link];
    while (a !== b) {
      if (depth[a]! >= depth[b]!) {
        lastOfOne = Math.max(lastOfOne, lastLink[a]!);
        a = parent[a]!;
      } else {
        lastOfTwo = Math.max(lastOfTwo, lastLink[b]!);
        b = parent[b]!;
      }
    }
    return lastOfOne < lastOfTwo;
  };
  const open = new Heap<Candidate>((one, two) =>
    one.cost === two.cost ? hasLighterLinks(one, two) : one.cost < two.cost,
  );
  const reach = (at: number, cost: bigint) => {
    for (const { link, to } of neighbours[at]!) {
      const candidate = cost + costs[link]!;
      if (depth[to]! >= 0 || (least[to] !== undefined && candidate > least[to])) continue;
      least[to] = candidate;
      open.push({ cost: candidate, before: at, link, to });
    }
  };

  depth[source] = 0;
  reach(source, 0n);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { cost, before, link, to } = next;
    if (depth[to]! >= 0) continue;
    parent[to] = before;
    lastLink[to] = link;
    depth[to] = depth[before]! + 1;
    first[to] = before === source ? link : first[before]!;
    reach(to, cost);
  }
  return { parent, first };
}

/** A binary heap: `pop` returns the item before which no other comes. */
class Heap<T> {
  readonly #items: T[] = [];
  readonly #isBefore: (one: T, other: T) => boolean;

  constructor(isBefore: (one: T, other: T) => boolean) {
    this.#isBefore = isBefore;
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    for (let above = (at - 1) >> 1; at > 0 && this.#isBefore(item, items[above]!); above = (at - 1) >> 1) {
      items[at] = items[above]!;
      at = above;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const [top, last] = [items[0], items.pop()];
    if (items.length === 0 || last === undefined) return top;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= items.length) break;
      const right = left + 1;
      const child = right < items.length && this.#isBefore(items[right]!, items[left]!) ? right : left;
      if (!this.#isBefore(items[child]!, last)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return top;
  }
}
