import type { Slice } from '../model/slice.ts';
import type { Context } from './base/context.ts';
import { withLock } from './base/lock.ts';
import { activeInstance, chooseVn, refuseUnfinished } from './base/resolve.ts';
import { recordedVns } from './batches/desired.ts';
import { type Agents, withReachable } from './nodes/agents.ts';
import { compareNodes, type NodeDifference, type NodeFailure, nodesOf, recordReconciled } from './nodes/compare.ts';

export interface ReconcileOptions {
  /** One VN of the slice; if absent, all VNs and what belongs to none of them. */
  readonly vn?: string;
  /** Whether to report the differences without repairing them. */
  readonly dryRun: boolean;
}

export interface ReconcileResult {
  readonly slice: string;
  readonly vns: string[];
  readonly dryRun: boolean;
  /** Differences from the database that were repaired; with `dryRun`, that would be. */
  readonly repaired: NodeDifference[];
  /** What is on the nodes in addition to the database, and was left there. */
  readonly additional: NodeDifference[];
  readonly unreachable: NodeFailure[];
  readonly failed: NodeFailure[];
}

/**
 * Makes the nodes match the database. Does not touch what is correct; an unreachable node does not stop the others.
 * Throws VnmError `conflict` while a VN is being migrated, installed or removed, or after such a command was
 * interrupted; `not-found` when the named VN is not installed.
 */
export async function reconcile(context: Context, slice: Slice, options: ReconcileOptions): Promise<ReconcileResult> {
  const { store } = context;
  const { dryRun } = options;
  const vns = options.vn === undefined ? slice.vns : [chooseVn(slice, options.vn)];
  return withLock(context, { slice: slice.name, vn: options.vn, command: 'reconcile' }, async (locked) => {
    for (const vn of vns) refuseUnfinished(store, slice, vn);
    if (options.vn !== undefined) activeInstance(store, slice, vns[0]!);
    const recorded = recordedVns(store, slice);
    const meant = recorded.filter(({ vn }) => vns.includes(vn));
    const nodes = nodesOf(store, slice, vns);
    context.report({ kind: 'phase', text: `${dryRun ? 'compare with' : 'reconcile'} ${nodes.size} nodes` });
    const repair = async (agents: Agents): Promise<ReconcileResult> => {
      const comparing = { meant, dryRun, ...(options.vn === undefined ? { recorded } : {}) };
      const { differences, unreachable, failed } = await compareNodes(locked, agents, comparing);
      const repaired = differences.filter(({ additional }) => !additional);
      const additional = differences.filter((difference) => difference.additional);
      const names = meant.map(({ vn }) => vn.name);
      if (!dryRun && repaired.length > 0) recordReconciled(store, slice, options.vn, repaired);
      return { slice: slice.name, vns: names, dryRun, repaired, additional, unreachable, failed };
    };
    return withReachable(locked, slice, nodes, repair, { faulty: 'missing' });
  });
}
