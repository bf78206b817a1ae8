import type { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { collisionError } from '../../vsys/collision.ts';
import { type Agents, combineByNode } from './agents.ts';

/**
 * Asks all the nodes before any of them is changed. Throws one VnmError `conflict` that names every node where the slice's subnet
 * collides with something, but for those that have something of the slice already: they go on, whatever they got since.
 */
export async function refuseCollisions(agents: Agents, nodes: Iterable<NodeName>, signal?: AbortSignal): Promise<void> {
  const failures = await Promise.all(
    [...new Set(nodes)].map(async (node): Promise<[string, VnmError][]> => {
      const agent = agents.get(node);
      const { collisions, installed } = await agent.call('collisions', {}, { signal });
      if (installed || collisions.length === 0) return [];
      const { slice, vnet } = agent.facts.policy;
      return [[node, collisionError(slice, vnet, collisions)]];
    }),
  );
  const error = combineByNode(failures.flat());
  if (error !== undefined) throw error;
}
