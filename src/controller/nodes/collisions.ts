import type { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { collisionError } from '../../vsys/collision.ts';
import { type Agents, combineByNode } from './agents.ts';

/**
 * Checks all nodes before any of them is changed. Throws one VnmError `conflict` that names every node where the
 * slice's subnet collides with something, except nodes that already have something of the slice: they keep working,
 * whatever was added since.
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
