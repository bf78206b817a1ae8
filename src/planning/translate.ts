import { containsPrefix, parsePrefix } from '../model/address.ts';
import { VnmError } from '../model/errors.ts';
import type { RouterName } from '../model/names.ts';
import { filterPacked, type PackedRoutes } from '../model/packed-routes.ts';
import type { Route, RouteNexthop } from '../model/route.ts';
import type { Instance } from './instance.ts';
import { sides } from './routes.ts';

/**
 * The migration routing state translator (the paper, section III-C). Takes the actual routes of a router on the old
 * instance, and replaces next hops and interfaces by those of the same virtual links on the new instance. Omits the
 * routes that belong to an instance: the kernel's, and those to the instance's own addresses. Keeps the order and the
 * rest.
 *
 * Throws VnmError `conflict` for a route that leads out of the old instance, because the new one has no counterpart.
 */
export function translateRoutes(router: RouterName, routes: readonly Route[], from: Instance, to: Instance): Route[] {
  const translate = translator(router, from, to);
  const isOfOld = ofInstance(from);
  // Many routes share their next hops.
  const known = new Map<Route['nexthops'], RouteNexthop[]>();
  return routes
    .filter((route) => !isOfOld(route))
    .map((route) => {
      const translated = translate(route, known.get(route.nexthops));
      known.set(route.nexthops, translated.nexthops);
      return translated;
    });
}

/** As `translateRoutes`, for routes that differ in nothing but their prefix, all of them at once. */
export function translatePacked(
  router: RouterName,
  packed: readonly PackedRoutes[],
  from: Instance,
  to: Instance,
): PackedRoutes[] {
  const translate = translator(router, from, to);
  return withoutOwn(packed, from).map(({ prefixes, ...common }) => {
    const { prefix: _, ...translated } = translate({ ...common, prefix: prefixes.split(' ', 1)[0]! });
    return { ...translated, prefixes };
  });
}

/** Leaves out the routes that belong to the instance. */
export function withoutOwn(packed: readonly PackedRoutes[], instance: Instance): PackedRoutes[] {
  const isOfInstance = ofInstance(instance);
  return filterPacked(packed, (prefix, { protocol }) => !isOfInstance({ prefix, protocol }));
}

function translator(router: RouterName, from: Instance, to: Instance) {
  const counterparts = linkCounterparts(router, from, to);
  return (route: Route, known?: RouteNexthop[]): Route & { nexthops: RouteNexthop[] } => {
    if (route.nexthopId !== undefined) throw untranslatable(router, route, `uses nexthop object ${route.nexthopId}`);
    const nexthops = known ?? route.nexthops.map((nexthop) => translateNexthop(router, route, nexthop, counterparts));
    const { source, ...rest } = route;
    const address = source === undefined ? undefined : translateSource(router, route, source, from, to);
    return { ...rest, nexthops, ...(address === undefined ? {} : { source: address }) };
  };
}

/** Returns whether a route belongs to the instance: added by the kernel, or to one of the instance's own addresses. */
export function ofInstance({ block }: Instance): (route: Pick<Route, 'prefix' | 'protocol'>) => boolean {
  const own = parsePrefix(block);
  return ({ protocol, prefix }) => protocol === 'kernel' || containsPrefix(own, parsePrefix(prefix));
}

interface Counterpart {
  /** The address of the neighbour on the old link. */
  readonly oldPeer: string;
  readonly interface: string;
  readonly peer: string;
}

/** The new ends of the router's links, by old interface name. Links have the same order in all instances. */
function linkCounterparts(router: RouterName, from: Instance, to: Instance): Map<string, Counterpart> {
  const counterparts = new Map<string, Counterpart>();
  from.links.forEach((link, index) => {
    if (link.a.router !== router && link.b.router !== router) return;
    const old = sides(link, router);
    const fresh = sides(to.links[index]!, router);
    counterparts.set(old.own.interface, {
      oldPeer: old.peer.address,
      interface: fresh.own.interface,
      peer: fresh.peer.address,
    });
  });
  return counterparts;
}

function translateNexthop(
  router: RouterName,
  route: Route,
  nexthop: RouteNexthop,
  counterparts: ReadonlyMap<string, Counterpart>,
): RouteNexthop {
  const counterpart = counterparts.get(nexthop.interface);
  if (counterpart === undefined)
    throw untranslatable(router, route, `leaves by '${nexthop.interface}', which is not a link of the VN`);
  if (nexthop.via !== undefined && nexthop.via !== counterpart.oldPeer) {
    throw untranslatable(router, route, `goes via ${nexthop.via}, but the neighbour is ${counterpart.oldPeer}`);
  }
  return {
    interface: counterpart.interface,
    ...(nexthop.via === undefined ? {} : { via: counterpart.peer }),
    weight: nexthop.weight,
  };
}

function translateSource(router: RouterName, route: Route, source: string, from: Instance, to: Instance): string {
  const index = from.links.findIndex((link) => link.a.address === source || link.b.address === source);
  if (index < 0) throw untranslatable(router, route, `has source ${source}, which is not an address of the router`);
  const link = to.links[index]!;
  return from.links[index]!.a.address === source ? link.a.address : link.b.address;
}

function untranslatable(router: RouterName, route: Route, reason: string): VnmError {
  return new VnmError(
    'conflict',
    `router '${router}' has a route to ${route.prefix} that cannot be cloned: it ${reason}`,
    {
      hint: 'change or remove that route on the old router, then migrate again',
    },
  );
}
