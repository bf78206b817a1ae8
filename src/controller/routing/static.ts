/** Static routes: the controller, or somebody on the node, added them to a router, and they stay there. */
import type { Route } from '../../model/route.ts';
import { translateRoutes } from '../../planning/translate.ts';
import { unpackRoutes } from '../../vsys/packed-routes.ts';
import { mergeBatches } from '../batches/batches.ts';
import { namespaceOf } from '../batches/operations.ts';
import { installRoutes } from '../batches/routers.ts';
import type { RoutingSource } from './source.ts';

export const staticRoutes: RoutingSource = {
  read: async (agents, instance, router) => {
    const namespace = namespaceOf(instance, router, agents);
    const asked = { namespace, packed: true };
    const { routes, packed = [] } = await agents.get(instance.placement.get(router)!).call('routes', asked);
    return [...routes, ...unpackRoutes(packed)];
  },
  isOwn: () => true,
  translate: translateRoutes,
  put: (instance, router, before, after, names) =>
    mergeBatches(
      installRoutes(new Map([[router, missingIn(after, before)]]), instance, names, 'delete'),
      installRoutes(new Map([[router, missingIn(before, after)]]), instance, names, 'add'),
    ),
  // The answer to a batch means that it is applied.
  settled: async () => {},
};

/** The ones of `others` that are not in `routes`. */
export function missingIn(routes: readonly Route[], others: readonly Route[]): Route[] {
  if (routes.length === 0 || others.length === 0) return [...others];
  const known = new Set(routes.map(contentOf));
  return others.filter((route) => !known.has(contentOf(route)));
}

function contentOf({ prefix, type, nexthops, nexthopId, metric, source, protocol }: Route): string {
  const ways = nexthops.map(({ interface: name, via, weight }) => [name, via, weight]);
  return JSON.stringify([prefix, type, ways, nexthopId, metric, source, protocol]);
}
