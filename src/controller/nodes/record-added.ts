import { VnmError } from '../../model/errors.ts';
import type { NodeName, RouterName } from '../../model/names.ts';
import { unpackRoutes } from '../../model/packed-routes.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import { addedRoutes } from '../../planning/added-routes.ts';
import { isDaemonRoute } from '../../vsys/daemon.ts';
import { type Context, signalOption } from '../base/context.ts';
import { namespaceOf } from '../batches/operations.ts';
import { type Agents, isUnreachable } from './agents.ts';

/**
 * Returns a function that records the routes that others added to the routers of an installed VN on one node, for a
 * migration away from that node when it is unreachable. The record of a router that is not there, or whose node is
 * unreachable, stays as it is. What the database has of the VN is read once, however many nodes there are.
 */
export function addedRoutesRecorder(
  context: Pick<Context, 'store' | 'signal'>,
  agents: Agents,
  vn: VirtualNetwork,
): (node: NodeName) => Promise<void> {
  const { instances } = context.store;
  const record = instances.active(agents.slice.name, vn.name);
  if (record === undefined) return async () => {};
  const instance = instances.plan(record.id);
  const own = instances.routes(record.id);
  const placed = Map.groupBy(instance.placement, ([, node]) => node);

  async function recordRouter(node: NodeName, router: RouterName): Promise<void> {
    const namespace = namespaceOf(instance, router, agents);
    try {
      const answer = await agents.get(node).call('routes', { namespace, packed: true }, signalOption(context));
      const routes = [...answer.routes, ...unpackRoutes(answer.packed ?? [])];
      const kept = hasDaemon(vn, router) ? routes.filter((route) => !isDaemonRoute(route)) : routes;
      instances.saveAddedRoutes(record!.id, router, addedRoutes(kept, own.get(router) ?? [], instance));
    } catch (error) {
      const isGone = error instanceof VnmError && error.code === 'not-found';
      if (!isGone && !isUnreachable(error)) throw error;
    }
  }
  return async (node) => {
    await Promise.all((placed.get(node) ?? []).map(([router]) => recordRouter(node, router)));
  };
}

/** A daemon adds its routes again wherever its router is; in the namespace of a machine there are none. */
function hasDaemon({ routers }: VirtualNetwork, router: RouterName): boolean {
  return routers.some(({ name, kind }) => name === router && kind !== 'static');
}
