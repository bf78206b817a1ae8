import type { Slice } from '../model/slice.ts';
import type { NodeObstacle } from '../vsys/obstacle.ts';
import type { Context } from './base/context.ts';
import { recordedVns } from './batches/desired.ts';
import { type Agents, withReachable } from './nodes/agents.ts';
import { type Comparison, compareNodes, nodesOf } from './nodes/compare.ts';
import { obstaclesOn } from './nodes/obstacles.ts';

export interface LiveStatus extends Comparison {
  readonly slice: string;
  /** Whether all that could be compared is as the database says. */
  readonly equal: boolean;
  /** VNs that an unfinished command has left half made or half removed: there is nothing to compare them with. */
  readonly notCompared: string[];
  /** VNs with an unfinished migration: it moves what the database says, and `reconcile` refuses. */
  readonly migrating: string[];
  /** What stops packets on the nodes, though it is none of the slice's; absent where there is nothing. */
  readonly obstacles?: readonly NodeObstacle[];
}

/** What on the nodes is not as the database says; changes nothing there. */
export async function liveStatus(context: Context, slice: Slice): Promise<LiveStatus> {
  const recorded = recordedVns(context.store, slice);
  const nodes = nodesOf(context.store, slice, slice.vns);
  context.report({ kind: 'phase', text: `compare with ${nodes.size} nodes` });
  const compare = async (agents: Agents): Promise<LiveStatus> => {
    const complete = recorded.filter((vn) => vn.complete);
    const comparison = await compareNodes(context, agents, {
      recorded,
      meant: complete,
      dryRun: true,
    });
    const notCompared = recorded.filter((vn) => !vn.complete).map(({ vn }) => vn.name);
    const equal = comparison.differences.length + comparison.failed.length + notCompared.length === 0;
    const migrating = context.store.migrations.unfinished(slice.name).map(({ vn }) => vn);
    const obstacles = (await obstaclesOn(context, agents, agents.nodes())).filter(({ blocks }) => blocks);
    const inTheWay = obstacles.length === 0 ? {} : { obstacles };
    return { slice: slice.name, equal, ...comparison, notCompared, migrating, ...inTheWay };
  };
  return withReachable(context, slice, nodes, compare, { faulty: 'missing' });
}
