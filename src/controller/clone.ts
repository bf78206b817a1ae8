import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../model/errors.ts';
import type { Route } from '../model/route.ts';
import type { VirtualNetwork } from '../model/slice.ts';
import type { Instance } from '../planning/instance.ts';
import { infrastructureRoutes } from '../planning/routes.ts';
import { translateRoutes } from '../planning/translate.ts';
import { type Agents, applyAll, isAway } from './agents.ts';
import { installRoutes, mergeBatches, namespaceOf } from './operations.ts';

/** Entries by router. */
export type RoutingState = ReadonlyMap<string, readonly Route[]>;

/**
 * Step 3: what the old routers have at this moment, translated for the new ones, with the new instance's own entries. Without those
 * whose node is away: a connection that got lost is tried once more, but not one to a node that was given up.
 */
export async function readTranslated(
  agents: Agents,
  vn: VirtualNetwork,
  from: Instance,
  to: Instance,
  routers: readonly string[] = vn.routers,
): Promise<RoutingState> {
  const own = infrastructureRoutes(vn, to);
  const entries = await Promise.all(
    routers.map(async (router) => {
      const routes = await liveRoutes(agents, from, router);
      if (routes === undefined) return [];
      return [[router, [...translateRoutes(router, routes, from, to), ...(own.get(router) ?? [])]] as const];
    }),
  );
  return new Map(entries.flat());
}

/** Undefined where the router's node is away. */
async function liveRoutes(agents: Agents, instance: Instance, router: string): Promise<Route[] | undefined> {
  const node = instance.placement.get(router)!;
  const namespace = namespaceOf(instance, router, agents);
  const ask = async () => (await agents.get(node).call('routes', { namespace })).routes;
  const first = await ask().catch(unlessAway);
  if (first !== undefined || agents.givenUp.has(node)) return first;
  await agents.revive([node]);
  return ask().catch(unlessAway);
}

function unlessAway(error: unknown): undefined {
  if (!isAway(error)) throw error;
}

/** What is recorded of a router, and what of it no new router could have. */
export interface Translated {
  readonly routes: readonly Route[];
  readonly left: readonly VnmError[];
}

/**
 * As `readTranslated`, for a router that nobody can ask: what the VN has there, and what somebody had `added` when it was last looked at.
 * An added entry that cannot be translated is left out, since nobody can remove it there.
 */
export function translateRecorded(
  vn: VirtualNetwork,
  router: string,
  recorded: { readonly own: readonly Route[]; readonly added: readonly Route[] },
  from: Instance,
  to: Instance,
): Translated {
  const routes = translateRoutes(router, recorded.own, from, to);
  const left: VnmError[] = [];
  for (const route of recorded.added) {
    try {
      routes.push(...translateRoutes(router, [route], from, to));
    } catch (error) {
      if (!(error instanceof VnmError)) throw error;
      left.push(error);
    }
  }
  return { routes: [...routes, ...(infrastructureRoutes(vn, to).get(router) ?? [])], left };
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
