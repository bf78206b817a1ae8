import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { NodeObstacle } from '../vsys/obstacle.ts';
import type { Context } from './base/context.ts';
import { activeInstance, edgeNodes } from './base/resolve.ts';
import { withAgents } from './nodes/agents.ts';
import { obstaclesOn } from './nodes/obstacles.ts';
import { unexplained, type VerifyResult, verifyVn } from './probe/verify-vn.ts';

/**
 * Proves with packets that every end host of the VN reaches every other, and finds the hop where a broken pair's
 * packets stop.
 */
export async function verify(context: Context, slice: Slice, vn: VirtualNetwork): Promise<VerifyResult> {
  const { instance } = activeInstance(context.store, slice, vn);
  context.report({ kind: 'phase', text: `verify VN '${vn.name}'` });
  return withAgents(context, slice, edgeNodes(vn), async (agents) => {
    const bytes = context.store.instances.settings(slice.name, vn.name)?.mtu;
    const result = await verifyVn(agents, planVn(slice, vn), instance, { bytes });
    const obstacles = result.ok ? [] : await obstaclesOn(context, agents, edgeNodes(vn));
    return obstacles.length === 0 ? result : blameObstacles(obstacles, result);
  });
}

/** Blames known obstacles, not the gateways' redirection, for pairs that are broken for no visible reason. */
function blameObstacles(obstacles: readonly NodeObstacle[], result: VerifyResult): VerifyResult {
  const mayBlock = obstacles.filter(({ kind, blocks }) => blocks || kind === 'tunnel-source');
  const nodes = [...new Set(mayBlock.map(({ node }) => node))];
  const pairs = result.pairs.map((pair) =>
    pair.stopsAt?.endsWith(unexplained) === true && nodes.length > 0
      ? { ...pair, stopsAt: pair.stopsAt.replace(unexplained, `check the obstacles on ${nodes.join(', ')}`) }
      : pair,
  );
  return { ...result, pairs, obstacles };
}
