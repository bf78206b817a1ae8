import type { GatewayName, RouterName } from '../model/names.ts';
import { routerNames } from '../model/router.ts';
import { gatewayOf, type VirtualLink, type VirtualNetwork } from '../model/slice.ts';

/** The first link of the path between every two routers: `next.get(from)?.get(to)` is its index. */
export type NextLinks = ReadonlyMap<RouterName, ReadonlyMap<RouterName, number>>;

/**
 * Computes shortest paths by link cost, with ties broken the same way in both directions. Each link adds its own
 * tie-breaker (a distinct power of two below the costs), so no two paths weigh the same, the path back is the reverse
 * of the path there, and strict reverse-path checks inside the VN pass (the paper, section II-B).
 */
export function shortestPaths(routers: readonly RouterName[], links: readonly VirtualLink[]): NextLinks {
  const weights = links.map((link, index) => linkWeight(link.cost, index, links.length));
  const adjacency = new Map<RouterName, { link: number; to: RouterName }[]>(routers.map((router) => [router, []]));
  links.forEach((link, index) => {
    adjacency.get(link.from)?.push({ link: index, to: link.to });
    adjacency.get(link.to)?.push({ link: index, to: link.from });
  });
  return new Map(routers.map((router) => [router, firstLinks(router, adjacency, weights)]));
}

/** The routers on the path, both ends included; empty if there is no path. */
export function pathBetween(
  next: NextLinks,
  links: readonly VirtualLink[],
  from: RouterName,
  to: RouterName,
): RouterName[] {
  const path = [from];
  for (let at = from; at !== to; ) {
    const index = next.get(at)?.get(to);
    if (index === undefined) return [];
    const link = links[index]!;
    at = link.from === at ? link.to : link.from;
    path.push(at);
  }
  return path;
}

/** The routers on the configured path from one gateway to another, in order. */
export function routersBetween(vn: VirtualNetwork, from: GatewayName, to: GatewayName): RouterName[] {
  return pathBetween(
    shortestPaths(routerNames(vn), vn.links),
    vn.links,
    gatewayOf(vn, from).router,
    gatewayOf(vn, to).router,
  );
}

/**
 * The links of an instance (as indices) between each pair of gateways: the virtual links on the configured path, and
 * the links of the two gateways. The way back uses the same links.
 */
export function linksBetweenGateways(vn: VirtualNetwork): { from: GatewayName; to: GatewayName; links: number[] }[] {
  const next = shortestPaths(routerNames(vn), vn.links);
  return vn.gateways.flatMap((from, index) =>
    vn.gateways.slice(index + 1).map((to, further) => {
      const path = pathBetween(next, vn.links, from.router, to.router);
      const virtual = path.slice(1).map((router, hop) => next.get(path[hop]!)!.get(router)!);
      const [first, last] = [index, index + 1 + further].map((gateway) => vn.links.length + gateway);
      return { from: from.name, to: to.name, links: [first!, ...virtual, last!] };
    }),
  );
}

/**
 * A link's weight as an integer (costs to 1e-6), because sums of floats depend on their order, and so on the direction.
 */
function linkWeight(cost: number, index: number, count: number): bigint {
  return (BigInt(Math.round(cost * 1e6)) << BigInt(count)) | (1n << BigInt(index));
}

/** Finds the first link of the path from one router to each other router (Dijkstra). */
function firstLinks(
  source: RouterName,
  adjacency: ReadonlyMap<RouterName, readonly { link: number; to: RouterName }[]>,
  weights: readonly bigint[],
): Map<RouterName, number> {
  const distance = new Map<RouterName, bigint>([[source, 0n]]);
  const first = new Map<RouterName, number>();
  const open = new Set([source]);
  const done = new Set<RouterName>();
  while (open.size > 0) {
    const at = [...open].reduce((best, router) => (distance.get(router)! < distance.get(best)! ? router : best));
    open.delete(at);
    done.add(at);
    for (const { link, to } of adjacency.get(at) ?? []) {
      const candidate = distance.get(at)! + weights[link]!;
      if (done.has(to) || candidate >= (distance.get(to) ?? candidate + 1n)) continue;
      distance.set(to, candidate);
      first.set(to, at === source ? link : first.get(at)!);
      open.add(to);
    }
  }
  return first;
}
