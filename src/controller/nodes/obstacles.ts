import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import type { Slice } from '../../model/slice.ts';
import { tunnelKinds } from '../../model/tunnel.ts';
import type { NodeObstacle, Obstacle } from '../../vsys/obstacle.ts';
import { type Context, signalOption } from '../base/context.ts';
import type { Agents } from './agents.ts';

/** Longer than a node takes to list its filters; what it does not say then is not known. */
const patienceMs = 20_000;
/** Of the tunnels that go over UDP. */
const tunnelPort = tunnelKinds.vxlan.carriedBy.port;

/**
 * What on these nodes is in the way of the slice's VNs, as far as it concerns their part in it. A node that cannot say has none: who
 * asks wants to tell more of a fault, not to have another.
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

/** Gateways alone forward by their node's own stack, and routers do not use its routing rules. */
function concerns({ vns }: Pick<Slice, 'vns'>, node: NodeName, kind: Obstacle['kind']): boolean {
  const isGateway = vns.some(({ gateways }) => gateways.some((gateway) => gateway.node === node));
  if (kind === 'forward-filter') return isGateway;
  const isEndHost = vns.some(({ endHosts }) => endHosts.some((endHost) => endHost.node === node));
  return kind !== 'routing-rule' || isGateway || isEndHost;
}

export function describeObstacle({ node, message, hint }: NodeObstacle): string {
  return `${node}: ${message}\n  hint: ${hint}`;
}

/** Those that stop packets for certain, as notes; what only may happen is for `doctor`. */
export function reportObstacles({ report }: Pick<Context, 'report'>, obstacles: readonly NodeObstacle[]): void {
  for (const one of obstacles) if (one.blocks) report({ kind: 'note', text: describeObstacle(one) });
}
