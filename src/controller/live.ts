/** Compares the database with the nodes. The nodes compare: each plans its batch, and says what it would change. */
import { messageOf } from '../model/errors.ts';
import { sliceIds } from '../model/ids.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import type { Store } from '../store/store.ts';
import type { Difference } from '../vsys/difference.ts';
import { type Agents, isAway, withReachable } from './agents.ts';
import { type Context, signalOption } from './context.ts';
import { desiredBatches, type RecordedVn, recordedVns } from './desired.ts';
import { leftOvers, leftOversOf } from './left-overs.ts';
import { mergeBatches } from './operations.ts';
import { recordAddedRoutes } from './record-added.ts';
import { edgeNodes } from './resolve.ts';

export interface NodeDifference extends Difference {
  readonly node: string;
  /** There beside what the database says; `reconcile` leaves it. */
  readonly additional: boolean;
}

export interface NodeFailure {
  readonly node: string;
  readonly message: string;
}

/** What the nodes said of their batches. */
export interface Comparison {
  readonly differences: NodeDifference[];
  /** Nodes that are away. */
  readonly unreachable: NodeFailure[];
  /** Nodes that could not do what was asked, which then changed nothing. */
  readonly failed: NodeFailure[];
}

export interface LiveStatus extends Comparison {
  readonly slice: string;
  /** Whether all that could be compared is as the database says. */
  readonly equal: boolean;
  /** VNs that an unfinished command has left half made or half removed: there is nothing to compare them with. */
  readonly notCompared: string[];
  /** VNs with an unfinished migration: it moves what the database says, and `reconcile` refuses. */
  readonly migrating: string[];
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
      leftOvers: true,
      dryRun: true,
    });
    const notCompared = recorded.filter((vn) => !vn.complete).map(({ vn }) => vn.name);
    const equal = comparison.differences.length + comparison.failed.length + notCompared.length === 0;
    const migrating = context.store.migrations.unfinished(slice.name).map(({ vn }) => vn);
    return { slice: slice.name, equal, ...comparison, notCompared, migrating };
  };
  return withReachable(context, slice, nodes, compare, { faulty: 'missing' });
}

export interface Comparing {
  /** All that is recorded of the slice. */
  readonly recorded: readonly RecordedVn[];
  /** The VNs that are compared. */
  readonly meant: readonly RecordedVn[];
  /** Whether also what belongs to no VN is looked for. */
  readonly leftOvers: boolean;
  /** Without it the nodes are mended. */
  readonly dryRun: boolean;
}

/**
 * Every node that is connected by itself, so that one which fails does not hide the others. What was added to its routers is written
 * down.
 */
export async function compareNodes(context: Context, agents: Agents, comparing: Comparing): Promise<Comparison> {
  const { slice } = agents;
  const batchesOf = (vns: readonly RecordedVn[]) => mergeBatches(...vns.map((vn) => desiredBatches(slice, vn, agents)));
  const [needed, meant] = [batchesOf(comparing.recorded), batchesOf(comparing.meant)];
  const { interfacePrefix } = sliceIds(slice.number);
  const differences = new Map<string, NodeDifference[]>();
  const failures = new Map<string, unknown>(agents.missing);

  async function compareNode(node: string): Promise<NodeDifference[]> {
    const options = { timeoutMs: 120_000, ...signalOption(context) };
    const batch = meant.get(node) ?? [];
    const inventory = await agents.get(node).call('inventory', {}, options);
    const beside = leftOvers(inventory, needed.get(node) ?? [], interfacePrefix);
    const { removal, additional } = comparing.leftOvers ? beside : leftOversOf(beside, batch);
    const operations = [...batch, ...removal];
    const { dryRun } = comparing;
    const answer = await agents.get(node).call('apply', { operations, repair: true, dryRun }, options);
    for (const { vn } of comparing.meant) await recordAddedRoutes(context, agents, vn, [node]);
    return [
      ...(answer.differences ?? []).map((difference) => ({ node, ...difference, additional: false })),
      ...additional.map((difference) => ({ node, ...difference, additional: true })),
    ];
  }

  await Promise.all(
    agents.nodes().map(async (node) => {
      try {
        differences.set(node, await compareNode(node));
      } catch (error) {
        context.signal?.throwIfAborted();
        failures.set(node, error);
      }
    }),
  );
  const told = (which: (error: unknown) => boolean) =>
    [...failures].filter(([, error]) => which(error)).map(([node, error]) => ({ node, message: messageOf(error) }));
  return {
    differences: [...slice.nodes.keys()].flatMap((node) => differences.get(node) ?? []),
    unreachable: told(isAway),
    failed: told((error) => !isAway(error)),
  };
}

/** The nodes where something of these VNs is, may be, or was: all that they have a placement on. */
export function nodesOf(store: Store, slice: Slice, vns: readonly VirtualNetwork[]): Set<string> {
  const instances = vns.flatMap((vn) => store.instances.list({ slice: slice.name, vn: vn.name }));
  const placements = [
    ...vns.flatMap((vn) => [...vn.placements.values()]),
    ...instances.map(({ id }) => store.instances.plan(id).placement),
  ];
  return new Set([...vns.flatMap(edgeNodes), ...placements.flatMap((placement) => [...placement.values()])]);
}
