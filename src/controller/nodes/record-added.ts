import { VnmError } from '../../model/errors.ts';
import type { NodeName, RouterName } from '../../model/names.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import { addedRoutes } from '../../planning/added-routes.ts';
import { isDaemonRoute } from '../../vsys/daemon.ts';
import { type Context, signalOption } from '../base/context.ts';
import { namespaceOf } from '../batches/operations.ts';
import { type Agents, isUnreachable } from './agents.ts';

/**
 * Records the routes that others added to the routers of an installed VN, for a migration away from a node that is then
 * unreachable. `nodes`: the nodes to read, by default all connected ones. The record of a router that is not there, or
 * whose node is unreachable, stays as it is.
 */
export async function recordAddedRoutes(
  context: Pick<Context, 'store' | 'signal'>,
  agents: Agents,
  vn: VirtualNetwork,
  nodes: readonly NodeName[] = agents.nodes(),
): Promise<void> {
  const { instances } = context.store;
  const record = instances.active(agents.slice.name, vn.name);
  if (record === undefined) return;
  const instance = instances.plan(record.id);
  const own = instances.routes(record.id);
  await Promise.all(
    [...instance.placement].map(async ([router, node]) => {
      if (!nodes.includes(node)) return;
      const namespace = namespaceOf(instance, router, agents);
      try {
        const { routes } = await agents.get(node).call('routes', { namespace }, signalOption(context));
        const kept = hasDaemon(vn, router) ? routes.filter((route) => !isDaemonRoute(route)) : routes;
        instances.saveAddedRoutes(record.id, router, addedRoutes(kept, own.get(router) ?? [], instance));
      } catch (error) {
        const isGone = error instanceof VnmError && error.code === 'not-found';
        if (!isGone && !isUnreachable(error)) throw error;
      }
    }),
  );
}

/** A daemon adds its routes again wherever its router is. */
function hasDaemon({ routers }: VirtualNetwork, router: RouterName): boolean {
  return routers.some(({ name, kind }) => name === router && kind !== 'static');
}
