/** Static routes: the controller, or somebody on the node, added them to a router, and they stay there. */
import type { RouterName } from '../../model/names.ts';
import { type PackedRoutes, packRoutes, unpackRoutes } from '../../model/packed-routes.ts';
import type { Route } from '../../model/route.ts';
import type { Instance } from '../../planning/instance.ts';
import { translateRoutes } from '../../planning/translate.ts';
import { mergeBatches } from '../batches/batches.ts';
import { namespaceOf } from '../batches/operations.ts';
import { installRoutes } from '../batches/routers.ts';
import type { Agents } from '../nodes/agents.ts';
import type { RoutingSource } from './source.ts';

/** The forwarding entries of a router, and what tells whether they are still the same. */
export interface ReadTable {
  readonly digest: string;
  readonly routes: Route[];
}

/** Of routes with one prefix and metric, the one that the kernel uses comes first. */
export interface PackedTable {
  readonly digest: string;
  readonly packed: PackedRoutes[];
}

/** Reads the routes that a router has now, unless they are still those `before`. Throws as `RoutingSource.read`. */
export async function readTable(
  agents: Agents,
  instance: Instance,
  router: RouterName,
  before?: ReadTable,
): Promise<ReadTable> {
  const table = await ask(agents, instance, router, before?.digest);
  if (table === undefined) return before!;
  return { digest: table.digest, routes: unpackRoutes(table.packed) };
}

/** As `readTable`, for a router that may have very many. */
export async function readPacked(
  agents: Agents,
  instance: Instance,
  router: RouterName,
  before?: PackedTable,
): Promise<PackedTable> {
  return (await ask(agents, instance, router, before?.digest)) ?? before!;
}

/** Undefined if the table's digest is still `unless`. */
async function ask(
  agents: Agents,
  instance: Instance,
  router: RouterName,
  unless: string | undefined,
): Promise<PackedTable | undefined> {
  const namespace = namespaceOf(instance, router, agents);
  const asked = { namespace, packed: true, ...(unless === undefined ? {} : { unless }) };
  const answer = await agents.get(instance.placement.get(router)!).call('routes', asked);
  if (answer.unchanged && unless !== undefined) return undefined;
  // An agent of an earlier version does not pack.
  return { digest: answer.digest, packed: answer.packed ?? packRoutes(answer.routes) };
}

export const staticRoutes: RoutingSource = {
  read: async (agents, instance, router) => (await readTable(agents, instance, router)).routes,
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
