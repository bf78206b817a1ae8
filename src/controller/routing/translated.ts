/** Translates the routing state of a VN from one instance to another. */

import { VnmError } from '../../model/errors.ts';
import type { RouterName } from '../../model/names.ts';
import type { Route } from '../../model/route.ts';
import { routerNames } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { infrastructureRoutes, type RoutingState } from '../../planning/routes.ts';
import { mergeBatches } from '../batches/batches.ts';
import { type Agents, applyAll, isUnreachable } from '../nodes/agents.ts';
import { sourceOf } from './sources.ts';
import { missingIn } from './static.ts';

/**
 * Step 3: reads the current routes of the old routers and translates them for the new ones; adds the new instance's own
 * entries. Leaves out routers whose node is unreachable: a lost connection is tried once more, but not to a node that
 * was given up.
 */
export async function readTranslated(
  agents: Agents,
  vn: VirtualNetwork,
  from: Instance,
  to: Instance,
  routers: readonly RouterName[] = routerNames(vn),
): Promise<RoutingState> {
  const infrastructure = infrastructureRoutes(vn, to);
  const entries = await Promise.all(
    routers.map(async (router) => {
      const ask = () => sourceOf(vn, router).read(agents, from, router);
      const routes = await whereReachable(agents, from, router, ask);
      if (routes === undefined) return [];
      return [
        [router, [...translateOwn(vn, router, routes, from, to), ...(infrastructure.get(router) ?? [])]] as const,
      ];
    }),
  );
  return new Map(entries.flat());
}

/** What a router's node answers; undefined if it is unreachable. A lost connection is tried once more. */
export async function whereReachable<T extends object>(
  agents: Agents,
  instance: Instance,
  router: RouterName,
  ask: () => Promise<T>,
): Promise<T | undefined> {
  const first = await ask().catch(unlessUnreachable);
  const node = instance.placement.get(router)!;
  if (first !== undefined || agents.givenUp.has(node)) return first;
  await agents.revive([node]);
  return ask().catch(unlessUnreachable);
}

function unlessUnreachable(error: unknown): undefined {
  if (!isUnreachable(error)) throw error;
}

function translateOwn(
  vn: VirtualNetwork,
  router: RouterName,
  routes: readonly Route[],
  from: Instance,
  to: Instance,
): Route[] {
  const source = sourceOf(vn, router);
  return source.translate(
    router,
    routes.filter((route) => source.isOwn(route)),
    from,
    to,
  );
}

/** The translated record of a router, and why some of its entries were left out. */
interface Translated {
  readonly routes: readonly Route[];
  readonly left: readonly VnmError[];
}

/**
 * As `readTranslated`, for a router that cannot be read: translates the VN's own recorded entries, and those that
 * others had `added` when it was last read. Leaves out an added entry that cannot be translated, since it cannot be
 * removed on the old router.
 */
export function translateRecorded(
  vn: VirtualNetwork,
  router: RouterName,
  recorded: { readonly own: readonly Route[]; readonly added: readonly Route[] },
  from: Instance,
  to: Instance,
): Translated {
  const routes = translateOwn(vn, router, recorded.own, from, to);
  const left: VnmError[] = [];
  for (const route of recorded.added) {
    try {
      routes.push(...translateOwn(vn, router, [route], from, to));
    } catch (error) {
      if (!(error instanceof VnmError)) throw error;
      left.push(error);
    }
  }
  return { routes: [...routes, ...(infrastructureRoutes(vn, to).get(router) ?? [])], left };
}

/**
 * Changes the new routers from `before` (empty at first) to `after`, and waits until they settle. Returns how many
 * entries changed.
 */
export async function applyRoutes(
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
  before: RoutingState,
  after: RoutingState,
  signal?: AbortSignal,
): Promise<number> {
  const routers = [...new Set([...before.keys(), ...after.keys()])];
  const of = (state: RoutingState, router: RouterName) => state.get(router) ?? [];
  const batches = routers.map((router) =>
    sourceOf(vn, router).put(instance, router, of(before, router), of(after, router), agents),
  );
  await applyAll(agents, mergeBatches(...batches), signal);
  await Promise.all(routers.map((router) => sourceOf(vn, router).settled(agents, instance, router)));
  return routers.reduce((sum, router) => {
    const [old, now] = [of(before, router), of(after, router)];
    return sum + missingIn(now, old).length + missingIn(old, now).length;
  }, 0);
}
