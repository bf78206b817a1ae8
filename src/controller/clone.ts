import { isDeepStrictEqual } from 'node:util';
import type { Route } from '../model/route.ts';
import type { VirtualNetwork } from '../model/slice.ts';
import type { Instance } from '../planning/instance.ts';
import { infrastructureRoutes } from '../planning/routes.ts';
import { translateRoutes } from '../planning/translate.ts';
import { type Agents, applyAll } from './agents.ts';
import { installRoutes, mergeBatches, namespaceOf } from './operations.ts';

/** Entries by router. */
export type RoutingState = ReadonlyMap<string, readonly Route[]>;

/** Step 3: what the old routers have at this moment, translated for the new ones, with the new instance's own entries. */
export async function readTranslated(
  agents: Agents,
  vn: VirtualNetwork,
  from: Instance,
  to: Instance,
): Promise<RoutingState> {
  const own = infrastructureRoutes(vn, to);
  const entries = await Promise.all(
    vn.routers.map(async (router) => {
      const namespace = namespaceOf(from, router, agents);
      const { routes } = await agents.get(from.placement.get(router)!).call('routes', { namespace });
      return [router, [...translateRoutes(router, routes, from, to), ...(own.get(router) ?? [])]] as const;
    }),
  );
  return new Map(entries);
}

/** Brings the new routers from `before` (empty at first) to `after`. Answers how many entries changed. */
export async function applyRoutes(
  agents: Agents,
  instance: Instance,
  before: RoutingState,
  after: RoutingState,
  signal?: AbortSignal,
): Promise<number> {
  const missingIn = (state: RoutingState, other: RoutingState): RoutingState =>
    new Map(
      [...state].map(([router, routes]) => [
        router,
        routes.filter((route) => !(other.get(router) ?? []).some((candidate) => isDeepStrictEqual(candidate, route))),
      ]),
    );
  const gone = missingIn(before, after);
  const fresh = missingIn(after, before);
  const batches = mergeBatches(
    installRoutes(gone, instance, agents, 'delete'),
    installRoutes(fresh, instance, agents, 'add'),
  );
  await applyAll(agents, batches, signal);
  return [...gone.values(), ...fresh.values()].reduce((sum, routes) => sum + routes.length, 0);
}
