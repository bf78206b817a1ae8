import type { GatewayName, RouterName } from '../model/names.ts';
import type { Route, RouteNexthop } from '../model/route.ts';
import { routerNames } from '../model/router.ts';
import { gatewayOf, type VirtualNetwork } from '../model/slice.ts';
import { gatewayLink, type Instance, type InstanceLink, type LinkEnd } from './instance.ts';
import { pathsOf } from './paths.ts';
import type { AccessLink } from './vn-plan.ts';

/** Routes by router. */
export type RoutingState = ReadonlyMap<RouterName, readonly Route[]>;

/** The rtnetlink protocol that marks our routes in the kernel; no other program uses its number. */
const routeProtocol = 'vnm';

/**
 * Computes the static shortest-path routes of every router: to all end hosts, and to the instance's own addresses. A
 * router with a routing daemon has none, because it learns them, and neither has a virtual machine, whose guest has its
 * own.
 */
export function computeRoutes(
  vn: VirtualNetwork,
  instance: Instance,
  access: readonly AccessLink[],
): Map<RouterName, Route[]> {
  return new Map(
    routerNames(vn).map((router) => [router, hasRoutes(vn, router) ? staticRoutes(vn, instance, access, router) : []]),
  );
}

/** The shortest-path routes of one router, of whatever kind: to all end hosts, and to the instance's own addresses. */
export function staticRoutes(
  vn: VirtualNetwork,
  instance: Instance,
  access: readonly AccessLink[],
  router: RouterName,
): Route[] {
  return [...routesToEndHosts(vn, instance, router, access), ...ownRoutes(vn, instance, router)];
}

export function routesToEndHosts(
  vn: VirtualNetwork,
  instance: Instance,
  router: RouterName,
  access: readonly AccessLink[],
): Route[] {
  return access.map(({ prefix, gateway }) => unicast(prefix, towards(vn, instance, router, { gateway })));
}

function hasRoutes({ routers }: VirtualNetwork, router: RouterName): boolean {
  return routers.some(({ name, kind }) => name === router && (kind === 'static' || kind === 'switch'));
}

/**
 * Computes routes to every address of the instance, so that each gateway and router can be probed over its instance.
 * They are computed for each instance, never cloned. Addresses on a router's own links need no route. Only static
 * routers and switches have them, as `computeRoutes` says.
 */
export function infrastructureRoutes(vn: VirtualNetwork, instance: Instance): Map<RouterName, Route[]> {
  return new Map(
    routerNames(vn).map((router) => [router, hasRoutes(vn, router) ? ownRoutes(vn, instance, router) : []]),
  );
}

function ownRoutes(vn: VirtualNetwork, instance: Instance, router: RouterName): Route[] {
  return instance.links
    .filter(({ a, b }) => a.router !== router && b.router !== router)
    .flatMap(({ a, b }) => [a, b])
    .map((end) => unicast(`${end.address}/32`, towards(vn, instance, router, end)));
}

/** The two ends of a link from the view of one router: its own, and its neighbour's. */
export function sides(link: InstanceLink, router: RouterName): { own: LinkEnd; peer: LinkEnd } {
  return link.a.router === router ? { own: link.a, peer: link.b } : { own: link.b, peer: link.a };
}

/** The next hop from a router towards a gateway (over its gateway link at the last router) or another router. */
function towards(
  vn: VirtualNetwork,
  instance: Instance,
  router: RouterName,
  target: { gateway?: GatewayName; router?: RouterName },
): RouteNexthop {
  const last = target.gateway === undefined ? target.router! : gatewayOf(vn, target.gateway).router;
  const link =
    last === router ? gatewayLink(instance, target.gateway!) : instance.links[pathsOf(vn).firstLink(router, last)!]!;
  const { own, peer } = sides(link, router);
  return { interface: own.interface, via: peer.address, weight: 1 };
}

function unicast(prefix: string, nexthop: RouteNexthop): Route {
  return { prefix, type: 'unicast', nexthops: [nexthop], protocol: routeProtocol };
}
