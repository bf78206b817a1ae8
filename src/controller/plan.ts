import { VnmError } from '../model/errors.ts';
import type { RouterName } from '../model/names.ts';
import type { UrpfMode } from '../model/route.ts';
import {
  describePlacement,
  isSamePlacement,
  type NamedPlacement,
  type Slice,
  type VirtualNetwork,
} from '../model/slice.ts';
import { routerNodes } from '../planning/instance.ts';
import type { FlowPath, Uncertainty } from '../planning/loss/types.ts';
import { noUncertainty } from '../planning/loss/uncertainty.ts';
import { schedulesFor } from '../planning/schedule/make.ts';
import type { Granularity, Schedule, ScheduleName } from '../planning/schedule/types.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { Store } from '../store/store.ts';
import type { Context } from './base/context.ts';
import { withLock } from './base/lock.ts';
import { type MethodName, movesRouters } from './base/phase.ts';
import { activeInstance, choosePlacement, edgeNodes, placementOf, refuseUnfinished } from './base/resolve.ts';
import { refuseOptions } from './migrate.ts';
import { chooseUrpf } from './migration/choose-urpf.ts';
import type { ControlPlaneName } from './migration/control-planes/names.ts';
import { reportDamage } from './migration/damage.ts';
import { type Decision, decide, timingOfGateways } from './migration/decide.ts';
import { removeFresh } from './migration/finish.ts';
import { declaredFlowPaths, presumedMtu } from './migration/flow-paths.ts';
import { usualOptions } from './migration/options.ts';
import { startPhases } from './migration/phases.ts';
import { type PlannedFlow, plannedFlow } from './migration/planned-flow.ts';
import { addInstance, clone, flowsMeasured, join, measureBoth, proveNew, setUp } from './migration/prepare.ts';
import { type Move, movesOf, type Run } from './migration/types.ts';
import { requireNodes, withReachable } from './nodes/agents.ts';
import { refuseOneMachine, requireRoom } from './nodes/room-on-nodes.ts';
import { type MovesPlan, planMoves } from './plan-moves.ts';

export interface PlanOptions {
  /** Name of the placement to move to; with `router`, the node. */
  readonly to: string;
  /** Default: the installed placement, else `initial`. */
  readonly from?: string;
  readonly method?: MethodName;
  /** The only router to move; only with the method `vroom`, as the three after it. */
  readonly router?: RouterName;
  readonly controlPlane?: ControlPlaneName;
  readonly suspend?: boolean;
  readonly holdControl?: boolean;
  readonly parallel?: number;
  /** Default: all schedules that the uRPF mode allows. */
  readonly schedule?: ScheduleName;
  readonly urpf?: UrpfMode;
  readonly granularity: Granularity;
  /** Default: measured if the VN is installed on `from`, else declared. */
  readonly latency?: 'measured' | 'declared';
}

/** The plan for method `instance`. */
export interface PlanResult {
  readonly slice: string;
  readonly vn: string;
  readonly method: 'instance';
  /** Null: the placement has no name. */
  readonly from: string | null;
  readonly to: string;
  readonly urpf: UrpfMode;
  readonly granularity: Granularity;
  readonly latency: 'measured' | 'declared';
  readonly moves: Move[];
  readonly schedules: PlannedSchedule[];
}

export interface PlannedSchedule {
  readonly name: ScheduleName;
  /** Lost packets x priority, summed over the flows. */
  readonly objective: number;
  /** The same, in the worst case that the timing uncertainty allows. */
  readonly worstObjective: number;
  /** Gateway (with granularity `peer`: `gateway>remote gateway`, if a flow joins them) -> ms after the instant. */
  readonly offsets: Record<string, number>;
  /**
   * Gateways that hold traffic: how long before the common instant they close and how long after it they release, ms.
   */
  readonly gates: Record<string, { closeBeforeMs: number; releaseAfterMs: number }>;
  readonly flows: PlannedFlow[];
}

/**
 * Predicts what a migration would do and lose. Never touches traffic. For methods `vroom` and `flow` see plan-moves.ts.
 * With measured latencies, it sets up the new instance next to the old one, measures it and removes it (steps 2 to 4);
 * with declared ones, it contacts no node and assumes exact timing.
 */
export async function plan(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: PlanOptions,
): Promise<PlanResult | MovesPlan> {
  refuseOptions(slice, vn, { ...usualOptions, ...options });
  const installed = installedOn(context.store, slice, vn);
  const from = options.from === undefined && installed !== undefined ? installed : named(vn, options.from ?? 'initial');
  const { method } = options;
  if (movesRouters(method)) return planMoves(context, slice, vn, from, { ...options, method });
  const to = named(vn, options.to);
  const isInstalled = installed !== undefined && isSamePlacement(installed.placement, from.placement);
  const latency = options.latency ?? (isInstalled ? 'measured' : 'declared');
  const facts =
    latency === 'declared'
      ? declaredFacts(context, slice, vn, { from, to }, options)
      : await withLock(context, { slice: slice.name, vn: vn.name, command: `plan --to ${options.to}` }, (locked) =>
          measuredFacts(locked, slice, vn, { from, to }, options),
        );
  const names = options.schedule === undefined ? schedulesFor(facts.urpf) : [options.schedule];
  const schedules: PlannedSchedule[] = [];
  for (const name of names) {
    const decision = decide(
      vn,
      name,
      { urpf: facts.urpf, granularity: options.granularity },
      facts.flows,
      facts.uncertainty,
    );
    schedules.push(describe(decision));
  }
  return {
    slice: slice.name,
    vn: vn.name,
    method: 'instance',
    from: from.name,
    to: options.to,
    urpf: facts.urpf,
    granularity: options.granularity,
    latency,
    moves: movesOf(vn, from.placement, to.placement),
    schedules,
  };
}

function named(vn: VirtualNetwork, name: string): NamedPlacement {
  return { name, placement: choosePlacement(vn, name) };
}

function installedOn(store: Store, slice: Slice, vn: VirtualNetwork): NamedPlacement | undefined {
  if (store.instances.active(slice.name, vn.name) === undefined) return undefined;
  return placementOf(activeInstance(store, slice, vn));
}

interface Ends {
  readonly from: NamedPlacement;
  readonly to: NamedPlacement;
}

interface Facts {
  readonly flows: FlowPath[];
  readonly uncertainty: Uncertainty;
  readonly urpf: UrpfMode;
}

function declaredFacts(
  { store }: Context,
  slice: Slice,
  vn: VirtualNetwork,
  { from, to }: Ends,
  options: PlanOptions,
): Facts {
  const flows = declaredFlowPaths(slice, vn, from.placement, to.placement, presumedMtu(store, slice, vn));
  return { flows, uncertainty: noUncertainty, urpf: options.urpf ?? 'feasible' };
}

async function measuredFacts(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  { from, to }: Ends,
  options: PlanOptions,
): Promise<Facts> {
  const old = activeInstance(context.store, slice, vn);
  refuseUnfinished(context.store, slice, vn);
  if (!isSamePlacement(old.instance.placement, from.placement)) {
    const present = describePlacement(placementOf(old));
    throw new VnmError('conflict', `VN '${vn.name}' is on placement ${present}, not on ${describePlacement(from)}`, {
      hint: 'only an installed placement can be measured; use --latency declared',
    });
  }
  const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
  const nodes = [...edgeNodes(vn), ...routerNodes(old.instance), ...to.placement.values()];
  return withReachable(context, slice, nodes, async (agents) => {
    requireNodes(agents, [...edgeNodes(vn), ...to.placement.values()]);
    refuseOneMachine(agents);
    requireRoom(context, agents, [{ vn, placement: to.placement }]);
    const urpf = chooseUrpf(context, agents, vn, options.urpf);
    await reportDamage({ context, agents, slice, vn, old });
    const phases = startPhases(context);
    const run: Run = {
      ...planVn(slice, vn),
      context,
      agents,
      names: agents,
      old,
      to,
      urpf,
      gated: false,
      mtu,
      phases,
    };
    const fresh = addInstance(run);
    try {
      await setUp(run, fresh.instance);
      const tables = await join(run, fresh.instance, await clone(run, fresh.instance));
      const { clocks, lags } = await proveNew(run, fresh.instance, tables, { timers: true });
      const latencies = await measureBoth(run, fresh.instance, clocks);
      const uncertainty = timingOfGateways(vn, clocks, lags);
      return { flows: flowsMeasured(run, latencies), uncertainty, urpf };
    } finally {
      phases.begin('remove the trial instance');
      await removeFresh(run, fresh);
    }
  });
}

function describe({ schedule, evaluation }: Decision): PlannedSchedule {
  return {
    name: schedule.name,
    objective: evaluation.objective,
    worstObjective: evaluation.worstObjective,
    offsets: offsetsOf(schedule),
    gates: Object.fromEntries(schedule.gates),
    flows: evaluation.flows.map(plannedFlow),
  };
}

function offsetsOf(schedule: Schedule): Record<string, number> {
  if (schedule.granularity === 'gateway') return Object.fromEntries(schedule.offsetsMs);
  return Object.fromEntries(
    [...schedule.offsetsMs].flatMap(([gateway, peers]) => [...peers].map(([peer, ms]) => [`${gateway}>${peer}`, ms])),
  );
}
