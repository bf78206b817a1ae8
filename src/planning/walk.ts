import { containsAddress, type Prefix, parseAddress, parsePrefix } from '../model/address.ts';
import type { GatewayName, RouterName } from '../model/names.ts';
import type { Route, RouteNexthop } from '../model/route.ts';
import { gatewayLink, type Instance, type LinkEnd } from './instance.ts';
import type { RoutingState } from './routes.ts';
import { sides } from './routes.ts';

/** Where the entries of an instance's routers end, that should lead from one gateway to an address behind another. */
interface DeadEnd {
  readonly router: RouterName;
  readonly why: 'no route' | 'no way on' | 'a loop';
}

/**
 * Follows the entries from a gateway's router hop by hop, every one of several next hops. Undefined: all ways lead to the other
 * gateway. Entries that reject packets are somebody's wish, and no dead end.
 */
export type Walk = (
  from: GatewayName,
  to: { readonly gateway: GatewayName; readonly address: string },
) => DeadEnd | undefined;

/** For many walks through the same entries: all that does not depend on the walk is made once. */
export function walkThrough(instance: Instance, routes: RoutingState): Walk {
  const owner = new Map(instance.links.flatMap(({ a, b }) => [a, b].map((end) => [end.address, end] as const)));
  const tables = new Map([...routes].map(([router, entries]) => [router, tableOf(entries)]));
  const peers = new Map(
    instance.links.flatMap((link) =>
      [link.a, link.b].flatMap(({ router }) => {
        if (router === undefined) return [];
        const { own, peer } = sides(link, router);
        return [[keyOf(router, own.interface), peer] as const];
      }),
    ),
  );
  const nextOf = (router: RouterName, { via, interface: name }: RouteNexthop): LinkEnd | undefined =>
    via === undefined ? peers.get(keyOf(router, name)) : owner.get(via);

  return (from, { gateway, address }) => {
    const destination = parseAddress(address);
    const passed = new Set<string>();
    /** Routers from which all ways lead to the gateway. */
    const good = new Set<string>();

    function follow(router: RouterName): DeadEnd | undefined {
      if (good.has(router)) return undefined;
      if (passed.has(router)) return { router, why: 'a loop' };
      const route = tables.get(router)?.find(({ prefix }) => containsAddress(prefix, destination))?.route;
      if (route === undefined) return { router, why: 'no route' };
      passed.add(router);
      for (const hop of route.nexthops) {
        const next = nextOf(router, hop);
        if (next === undefined || (next.gateway !== undefined && next.gateway !== gateway))
          return { router, why: 'no way on' };
        const further = next.router === undefined ? undefined : follow(next.router);
        if (further !== undefined) return further;
      }
      good.add(router);
      return undefined;
    }

    return follow(gatewayLink(instance, from).b.router!);
  };
}

/** In the order in which entries count: the longest prefix first, of these the lowest metric. */
function tableOf(routes: readonly Route[]): { readonly route: Route; readonly prefix: Prefix }[] {
  return routes
    .map((route) => ({ route, prefix: parsePrefix(route.prefix) }))
    .sort((a, b) => b.prefix.length - a.prefix.length || (a.route.metric ?? 0) - (b.route.metric ?? 0));
}

function keyOf(router: RouterName, interfaceName: string): string {
  return `${router} ${interfaceName}`;
}
