import type { GatewayName, RouterName } from '../model/names.ts';
import { routerNames } from '../model/router.ts';
import { gatewayOf, type VirtualLink, type VirtualNetwork } from '../model/slice.ts';

/** Next hop of every router towards every other: `nextHop.get(from)?.get(to)` is the index of the link to take. */
export type NextLinks = ReadonlyMap<RouterName, ReadonlyMap<RouterName, number>>;

/**
 * Shortest paths by link cost with every tie broken the same way in both directions: each link adds a tie-breaker of its own
 * (a distinct power of two below the costs), so no two paths weigh the same, the path back is the path there reversed, and
 * strict reverse-path checks inside the VN pass (the paper, section II-B).
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

/** The routers on the way, both ends included; empty when there is no way. */
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

/** The routers on the configured way from one gateway to another, in order. */
export function routersBetween(vn: VirtualNetwork, from: GatewayName, to: GatewayName): RouterName[] {
  return pathBetween(
    shortestPaths(routerNames(vn), vn.links),
    vn.links,
    gatewayOf(vn, from).router,
    gatewayOf(vn, to).router,
  );
}

/**
 * The links of an instance, as indices, that lie between each two gateways: the virtual links on the configured way, and the gateways'
 * own. The way back takes the same.
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

/** Costs are compared exactly (to 1e-6) as integers: sums of floats depend on their order, and so on the direction. */
function linkWeight(cost: number, index: number, count: number): bigint {
  return (BigInt(Math.round(cost * 1e6)) << BigInt(count)) | (1n << BigInt(index));
}

/** Dijkstra from one router: the first link of the path to each other router. */
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
