/**
 * Predicts what a migration that moves routers (methods `vroom` and `flow`) would do. Sets up nothing, and touches no
 * traffic.
 */

import type { DaemonKind } from '../model/daemon.ts';
import { type ErrorCode, VnmError } from '../model/errors.ts';
import { changedEntries } from '../model/flow-entry.ts';
import type { NodeName, RouterName } from '../model/names.ts';
import { daemonRouter, isSwitch } from '../model/router.ts';
import { isSamePlacement, type NamedPlacement, type Slice, type VirtualNetwork } from '../model/slice.ts';
import { type Instance, moveRouter, planInstance, routerNodes } from '../planning/instance.ts';
import { endName, groupMoves, linksOf, type RouterMove } from '../planning/neighbourhood.ts';
import { planSwitch } from '../planning/switch-entries.ts';
import { planVn, type VnPlan } from '../planning/vn-plan.ts';
import type { Context } from './base/context.ts';
import type { RouterMethod } from './base/phase.ts';
import { activeInstance, refuseUnfinished } from './base/resolve.ts';
import { type Checked, checkMoves, nodesOfMoves, refuseKinds } from './migration/check-moves.ts';
import type { ControlPlaneName } from './migration/control-planes/names.ts';
import { refuseDamage } from './migration/damage.ts';
import { declaredFlowPaths, presumedMtu } from './migration/flow-paths.ts';
import { type MigrateOptions, type Move, movesOf, type Recorded } from './migration/types.ts';
import { destinationOf, moveCommand } from './move-routers.ts';
import { isUnreachable, withReachable } from './nodes/agents.ts';

export interface MovesPlan {
  readonly slice: string;
  readonly vn: string;
  readonly method: RouterMethod;
  /** Names of the placements; null: the placement has none. */
  readonly from: string | null;
  readonly to: string | null;
  /** All routers, also those that stay. */
  readonly moves: Move[];
  /**
   * In their order; the routers of a group move at the same time. Empty if there is nothing to do, or no such order.
   */
  readonly groups: PlannedMove[][];
  readonly flows: MovedFlow[];
  /** Whether the nodes were asked; if not, they may refuse more. */
  readonly checked: boolean;
  /** Why `migrate` would refuse this. */
  readonly refusals: Refusal[];
}

interface PlannedMove {
  readonly router: RouterName;
  readonly from: NodeName;
  readonly to: NodeName;
  /** The routers and gateways that flip their link with it, in their order. */
  readonly neighbours: string[];
  /** Method `flow`: how many entries of switches change at each of them; 0: a gateway or another router. */
  readonly entries?: readonly number[];
  /** The kind of its routing daemon; null if it has none. */
  readonly daemon: DaemonKind | null;
  /** How that moves; null if it cannot, or if the nodes were not asked and the options do not say it. */
  readonly controlPlane: ControlPlaneName | null;
}

interface MovedFlow {
  readonly from: string;
  readonly to: string;
  /** As the slice file declares them. */
  readonly oldLatencyMs: number;
  readonly newLatencyMs: number;
  /** 0; null if a routing daemon restarts cold or a guest stands still, which loses an unknown number of packets. */
  readonly predictedLost: number | null;
}

interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
}

interface MovesPlanOptions
  extends Pick<MigrateOptions, 'to' | 'router' | 'controlPlane' | 'holdControl' | 'parallel' | 'suspend'> {
  readonly method: RouterMethod;
  readonly latency?: 'measured' | 'declared';
}

/**
 * `from`: the present placement. Throws VnmError `not-found` for an unknown destination, `usage` for measured
 * latencies, `conflict` while a migration is unfinished. What else `migrate` would refuse is in the plan. For that the
 * nodes are asked, if the VN is installed on `from`; not with declared latencies.
 */
export async function planMoves(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  from: NamedPlacement,
  options: MovesPlanOptions,
): Promise<MovesPlan> {
  if (options.latency === 'measured') {
    throw new VnmError(
      'usage',
      `a plan for method ${options.method} sets up nothing, so it has no --latency measured`,
      {
        hint: 'leave that out, or use --method instance',
      },
    );
  }
  const to = destinationOf(slice, vn, from.placement, options);
  const old = installedOn(context, slice, vn, from);
  const instance = old?.instance ?? planInstance(slice, vn, from.placement, 0);
  const { groups, obstacle } = orderOf(vn, instance, to, options);
  const isAsked = old !== undefined && options.latency === undefined && groups.length > 0;
  const asked = isAsked ? await askNodes(context, slice, vn, { old, groups }, options) : undefined;
  const refusals = asked?.refusals ?? (obstacle === undefined ? [] : [obstacle]);
  const plan = planVn(slice, vn);
  const planned = groups.map((group) =>
    group.map((move) => {
      const way = asked === undefined ? options.controlPlane : asked.ways.get(move.router);
      return describe(plan, instance, move, way);
    }),
  );
  return {
    slice: slice.name,
    vn: vn.name,
    method: options.method,
    from: from.name,
    to: to.name,
    moves: movesOf(vn, from.placement, to.placement),
    groups: planned,
    flows: flowsOf(context, slice, vn, { from, to }, planned.flat(), options),
    checked: isAsked,
    refusals: refusals.map(({ code, message, hint = null }) => ({ code, message, hint })),
  };
}

/** The VN's instance, if it is on this placement. Throws VnmError `conflict` while a migration is unfinished. */
function installedOn({ store }: Context, slice: Slice, vn: VirtualNetwork, from: NamedPlacement): Recorded | undefined {
  if (store.instances.active(slice.name, vn.name) === undefined) return undefined;
  const old = activeInstance(store, slice, vn);
  if (!isSamePlacement(old.instance.placement, from.placement)) return undefined;
  refuseUnfinished(store, slice, vn);
  return old;
}

interface Order {
  readonly groups: RouterMove[][];
  /** Why there is no order. */
  readonly obstacle?: VnmError;
}

function orderOf(
  vn: VirtualNetwork,
  instance: Instance,
  to: NamedPlacement,
  { parallel, method }: Pick<MovesPlanOptions, 'parallel' | 'method'>,
): Order {
  try {
    const groups = groupMoves(vn, instance, to.placement, parallel);
    refuseKinds(vn, groups, method);
    return { groups };
  } catch (error) {
    if (!(error instanceof VnmError)) throw error;
    return { groups: [], obstacle: error };
  }
}

/** Asks the nodes for everything that `migrate` would refuse, and how routing daemons move. */
async function askNodes(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  { old, groups }: { readonly old: Recorded; readonly groups: readonly RouterMove[][] },
  options: MovesPlanOptions,
): Promise<Checked> {
  const nodes = new Set([...nodesOfMoves(vn, old.instance, groups), ...routerNodes(old.instance)]);
  context.report({ kind: 'phase', text: `connect to ${nodes.size} nodes` });
  return withReachable(context, slice, nodes, async (agents) => {
    const { ways, refusals } = checkMoves(context, agents, vn, old.instance, groups, options);
    // Damage can be found where nodes are reachable.
    if (refusals.some(isUnreachable)) return { ways, refusals };
    const damage = await damageOf({ context, agents, slice, vn, old }, moveCommand(slice, options));
    return { ways, refusals: damage === undefined ? refusals : [...refusals, damage] };
  });
}

async function damageOf(side: Parameters<typeof refuseDamage>[0], command: string): Promise<VnmError | undefined> {
  try {
    await refuseDamage(side, command, false);
    return undefined;
  } catch (error) {
    if (error instanceof VnmError && error.code === 'conflict') return error;
    throw error;
  }
}

function describe(
  { vn, access }: VnPlan,
  instance: Instance,
  move: RouterMove,
  way: ControlPlaneName | undefined,
): PlannedMove {
  const daemon = daemonRouter(vn, move.router)?.kind ?? null;
  return {
    ...move,
    neighbours: linksOf(instance, move.router).map(({ peer }) => endName(peer)),
    ...(isSwitch(vn, move.router) ? { entries: changesAt({ vn, access }, instance, move) } : {}),
    daemon,
    controlPlane: daemon === null ? null : (way ?? null),
  };
}

/** How many entries change at each neighbour of a switch. */
function changesAt(plan: Pick<VnPlan, 'vn' | 'access'>, instance: Instance, { router, to }: RouterMove): number[] {
  const after = moveRouter(instance, router, to);
  return linksOf(instance, router).map(({ peer: { router: peer } }) => {
    if (peer === undefined || !isSwitch(plan.vn, peer)) return 0;
    const [had, has] = [instance, after].map((place) => planSwitch(plan, place, peer).entries);
    return changedEntries(had!, has!).length;
  });
}

function flowsOf(
  { store }: Context,
  slice: Slice,
  vn: VirtualNetwork,
  { from, to }: { readonly from: NamedPlacement; readonly to: NamedPlacement },
  moves: readonly PlannedMove[],
  { method, suspend = false }: Pick<MovesPlanOptions, 'method' | 'suspend'>,
): MovedFlow[] {
  // A guest that stands still loses what does not fit into the queues.
  const isUnknown = method === 'live' || suspend || moves.some(({ controlPlane }) => controlPlane === 'restart');
  const paths = declaredFlowPaths(slice, vn, from.placement, to.placement, presumedMtu(store, slice, vn));
  return paths.map((path) => ({
    from: path.from,
    to: path.to,
    oldLatencyMs: path.oldMs,
    newLatencyMs: path.newMs,
    predictedLost: isUnknown ? null : 0,
  }));
}
