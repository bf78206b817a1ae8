import { messageOf } from '../../model/errors.ts';
import { describePlacement, type Slice, type VirtualNetwork } from '../../model/slice.ts';
import type { FlipRecord, FlowRecord, HostPair, Outcome, RedirectionRecord } from '../../store/migrations.ts';
import { writeIfPossible } from '../base/best-effort.ts';
import type { Context } from '../base/context.ts';
import { usualMethod } from '../base/phase.ts';
import { activeInstance, placementOf } from '../base/resolve.ts';
import type { CountedFlow } from '../probe/traffic.ts';
import type { Decision } from './decide.ts';
import { notRecorded, unreachableEdges } from './finish.ts';
import { type PlannedFlow, plannedFlow } from './planned-flow.ts';
import {
  type ControlPlaneMove,
  type FlowChange,
  type GuestMove,
  type MigrateResult,
  type MoveOptions,
  movesOf,
  type NeighbourEvents,
  type Run,
} from './types.ts';

/** Adds to the counted flows the losses that the loss model predicted. */
export function withPrediction(flows: readonly CountedFlow[], decision: Decision | undefined): FlowRecord[] {
  return flows.map((flow) => {
    const outcome = decision?.evaluation.flows.find(({ flow: { from, to } }) => from === flow.from && to === flow.to);
    // The loss model does not know losses with another cause.
    if (outcome?.flow.isOldDown === true) return { ...flow, predictedLost: null, predictedAddedDelayMs: null };
    return {
      ...flow,
      predictedLost: outcome?.lostPackets ?? null,
      predictedAddedDelayMs: outcome?.addedDelayMs ?? null,
    };
  });
}

/** What the schedule was to do to each flow; undefined if there was none. */
export function plannedFlows(decision: Decision | undefined): PlannedFlow[] | undefined {
  return decision?.evaluation.flows.map(plannedFlow);
}

/**
 * Returns the result of a command that found nothing to do. `to`: the requested placement; by default the present one.
 */
export function unchanged(
  { store }: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: Pick<MoveOptions, 'control' | 'schedule' | 'granularity' | 'method'> & { readonly to?: string | null },
): MigrateResult {
  const { record, instance } = activeInstance(store, slice, vn);
  const { control, schedule, granularity, method = usualMethod, to = record.placementName } = options;
  return {
    id: null,
    slice: slice.name,
    vn: vn.name,
    from: record.placementName,
    to,
    control,
    schedule,
    granularity,
    urpf: store.instances.settings(slice.name, vn.name)!.urpf,
    method,
    outcome: 'unchanged',
    durationMs: 0,
    phases: [],
    moves: movesOf(vn, instance.placement, instance.placement),
    fromRecord: [],
    redirections: [],
    flows: [],
    unreachable: [],
    interrupted: false,
  };
}

interface Findings {
  readonly redirections?: RedirectionRecord[];
  readonly flips?: readonly FlipRecord[];
  readonly flowChanges?: readonly FlowChange[];
  readonly controlPlanes?: readonly ControlPlaneMove[];
  readonly neighbourEvents?: readonly NeighbourEvents[];
  readonly guests?: readonly GuestMove[];
  readonly flows?: FlowRecord[];
  readonly planned?: readonly PlannedFlow[];
  readonly failure?: unknown;
  readonly unproven?: readonly HostPair[];
}

/**
 * Records and returns how a migration ended. If that cannot be recorded, it is `failed`: `resume` or `rollback` ends
 * it.
 */
export function recordResult(
  run: Run,
  options: MoveOptions,
  reached: Outcome,
  {
    redirections = [],
    flips,
    flowChanges = [],
    controlPlanes = [],
    neighbourEvents = [],
    guests = [],
    flows = [],
    planned,
    failure,
    unproven = [],
  }: Findings,
): MigrateResult {
  const { context, slice, vn, old, to, urpf, phases } = run;
  const id = run.id!;
  const { migrations, events } = context.store;
  writeIfPossible(context, () => migrations.saveFlows(id, flows));
  const reason = failure === undefined ? undefined : messageOf(failure);
  const isWritten = writeIfPossible(context, () => migrations.finish(id, reached, Date.now(), reason));
  const outcome = isWritten ? reached : 'failed';
  const error = reason ?? (isWritten ? undefined : notRecorded().message);
  const summary = `VN '${vn.name}' from placement ${describePlacement(placementOf(old))} to ${describePlacement(to)}`;
  const text = error === undefined ? summary : `${summary}: ${error}`;
  writeIfPossible(context, () => events.add(slice.name, `migration-${outcome}`, text, { migration: id, vn: vn.name }));
  return {
    id,
    slice: slice.name,
    vn: vn.name,
    from: old.record.placementName,
    to: to.name,
    control: options.control,
    schedule: options.schedule,
    granularity: options.granularity,
    urpf,
    method: options.method ?? usualMethod,
    outcome,
    durationMs: phases.list().reduce((sum, phase) => sum + phase.ms, 0),
    phases: phases.list(),
    moves: movesOf(vn, old.instance.placement, to.placement),
    fromRecord: migrations.find(id)?.fromRecord ?? [],
    redirections,
    ...(flips === undefined ? {} : { flips }),
    ...(flowChanges.length === 0 ? {} : { flowChanges }),
    ...(controlPlanes.length === 0 ? {} : { controlPlanes }),
    ...(neighbourEvents.length === 0 ? {} : { neighbourEvents }),
    ...(guests.length === 0 ? {} : { guests }),
    flows,
    ...(planned === undefined ? {} : { planned }),
    unreachable: outcome === 'failed' ? unreachableEdges(run) : [],
    interrupted: context.signal?.aborted === true && outcome !== 'completed',
    ...(error === undefined ? {} : { error }),
    ...(unproven.length === 0 ? {} : { unproven }),
  };
}
