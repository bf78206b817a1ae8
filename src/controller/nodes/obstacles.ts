import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import type { Slice } from '../../model/slice.ts';
import { tunnelKinds } from '../../model/tunnel.ts';
import type { NodeObstacle, Obstacle } from '../../vsys/obstacle.ts';
import { type Context, signalOption } from '../base/context.ts';
import type { Agents } from './agents.ts';

/** The longest time to wait for a node to list its filters. After it, the node counts as one without obstacles. */
const patienceMs = 20_000;
/** The port of tunnels over UDP. */
const tunnelPort = tunnelKinds.vxlan.carriedBy.port;

/**
 * Finds what obstructs the slice's VNs on these nodes, as far as it matters for the nodes' roles. A node that fails to
 * answer counts as one without obstacles: callers want to explain a fault, not to get another.
 */
export async function obstaclesOn(
  { signal }: Pick<Context, 'signal'>,
  agents: Agents,
  nodes: Iterable<NodeName>,
): Promise<NodeObstacle[]> {
  const found = await Promise.all(
    [...new Set(nodes)].map(async (node) => {
      if (agents.missing.has(node)) return [];
      try {
        const options = { timeoutMs: patienceMs, ...signalOption({ signal }) };
        const { obstacles } = await agents.get(node).call('obstacles', { port: tunnelPort }, options);
        return obstacles.filter(({ kind }) => concerns(agents.slice, node, kind)).map((one) => ({ node, ...one }));
      } catch (error) {
        if (!(error instanceof VnmError) || error.code === 'interrupted') throw error;
        return [];
      }
    }),
  );
  return found.flat();
}

/**
 * Whether the obstacle matters: only gateways forward in their node's own stack, and routers do not use its routing
 * rules.
 */
function concerns({ vns }: Pick<Slice, 'vns'>, node: NodeName, kind: Obstacle['kind']): boolean {
  const isGateway = vns.some(({ gateways }) => gateways.some((gateway) => gateway.node === node));
  if (kind === 'forward-filter') return isGateway;
  const isEndHost = vns.some(({ endHosts }) => endHosts.some((endHost) => endHost.node === node));
  return kind !== 'routing-rule' || isGateway || isEndHost;
}

export function describeObstacle({ node, message, hint }: NodeObstacle): string {
  return `${node}: ${message}\n  hint: ${hint}`;
}

/** Reports as notes the obstacles that certainly block packets; `doctor` shows the others. */
export function reportObstacles({ report }: Pick<Context, 'report'>, obstacles: readonly NodeObstacle[]): void {
  for (const one of obstacles) if (one.blocks) report({ kind: 'note', text: describeObstacle(one) });
}
