import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import { addedRoutes } from '../../planning/added-routes.ts';
import { type Context, signalOption } from '../base/context.ts';
import { namespaceOf } from '../batches/operations.ts';
import { type Agents, isAway } from './agents.ts';

/**
 * Writes down what somebody has added to the routers of a VN that is installed, for a migration away from a node that cannot be
 * asked any more. `nodes`: those that are looked at, all that are connected without it. Of a router that is not there, or whose node
 * is unreachable, the record stays as it is.
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
        instances.saveAddedRoutes(record.id, router, addedRoutes(routes, own.get(router) ?? [], instance));
      } catch (error) {
        const isGone = error instanceof VnmError && error.code === 'not-found';
        if (!isGone && !isAway(error)) throw error;
      }
    }),
  );
}
