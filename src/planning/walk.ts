import { containsAddress, type Prefix, parseAddress, parsePrefix } from '../model/address.ts';
import type { GatewayName, RouterName } from '../model/names.ts';
import type { Route, RouteNexthop } from '../model/route.ts';
import { gatewayLink, type Instance, type LinkEnd } from './instance.ts';
import type { RoutingState } from './routes.ts';
import { sides } from './routes.ts';

/** The router where the routes from one gateway to an address behind another end, and why. */
interface DeadEnd {
  readonly router: RouterName;
  readonly why: 'no route' | 'no way on' | 'a loop';
}

/**
 * Follows the routes from a gateway's router hop by hop, through every one of several next hops. Returns undefined if
 * all ways lead to the other gateway. A route that rejects packets is intentional, and not a dead end.
 */
export type Walk = (
  from: GatewayName,
  to: { readonly gateway: GatewayName; readonly address: string },
) => DeadEnd | undefined;

/** Prepares walks through the same routes: computes once what all of them need. */
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
    /** The routers from which all ways lead to the gateway. */
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

/** Sorts routes by precedence: the longest prefix first, then the lowest metric. */
function tableOf(routes: readonly Route[]): { readonly route: Route; readonly prefix: Prefix }[] {
  return routes
    .map((route) => ({ route, prefix: parsePrefix(route.prefix) }))
    .sort((a, b) => b.prefix.length - a.prefix.length || (a.route.metric ?? 0) - (b.route.metric ?? 0));
}

function keyOf(router: RouterName, interfaceName: string): string {
  return `${router} ${interfaceName}`;
}
