import type { Slice } from '../model/slice.ts';
import type { NodeObstacle } from '../vsys/obstacle.ts';
import type { Context } from './base/context.ts';
import { recordedVns } from './batches/desired.ts';
import { type Agents, withReachable } from './nodes/agents.ts';
import { type Comparison, compareNodes, nodesOf } from './nodes/compare.ts';
import { type DaemonStatus, daemonsOf } from './nodes/daemons.ts';
import { type MachineStatus, machinesOf } from './nodes/machines.ts';
import { obstaclesOn } from './nodes/obstacles.ts';

export interface LiveStatus extends Comparison {
  readonly slice: string;
  /** Whether the nodes match the database, all VNs were compared and no node failed. */
  readonly equal: boolean;
  /** VNs that an unfinished command left half installed or half removed: there is nothing to compare them with. */
  readonly notCompared: string[];
  /** VNs with an unfinished migration: the database may change meanwhile, and `reconcile` refuses. */
  readonly migrating: string[];
  /** What on the nodes blocks packets without belonging to the slice; absent if nothing does. */
  readonly obstacles?: readonly NodeObstacle[];
  /** The routing daemons of the routers; absent if there are none. */
  readonly daemons?: readonly DaemonStatus[];
  /** The virtual machines that routers are; absent if there are none. */
  readonly machines?: readonly MachineStatus[];
}

/** Compares the nodes with the database. Changes nothing on them. */
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
    const obstructed = obstacles.length === 0 ? {} : { obstacles };
    const asked = await daemonsOf(context, agents, recorded);
    const daemons = asked.length === 0 ? {} : { daemons: asked };
    const found = await machinesOf(context, agents, recorded);
    const machines = found.length === 0 ? {} : { machines: found };
    return { slice: slice.name, equal, ...comparison, notCompared, migrating, ...obstructed, ...daemons, ...machines };
  };
  return withReachable(context, slice, nodes, compare, { faulty: 'missing' });
}
