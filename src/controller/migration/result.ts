import { messageOf } from '../../model/errors.ts';
import type { FlowRecord, Outcome, RedirectionRecord } from '../../store/migrations.ts';
import type { CountedFlow } from '../traffic.ts';
import type { Decision } from './decide.ts';
import { edgesAway } from './finish.ts';
import { type MigrateOptions, type MigrateResult, movesOf, type Run } from './types.ts';

/** What a flow was counted, beside what the loss model said it would lose. */
export function withPrediction(flows: readonly CountedFlow[], decision: Decision | undefined): FlowRecord[] {
  return flows.map((flow) => {
    const outcome = decision?.evaluation.flows.find(({ flow: { from, to } }) => from === flow.from && to === flow.to);
    // What is lost by another cause the loss model does not know.
    if (outcome?.flow.isOldDown === true) return { ...flow, predictedLost: null, predictedAddedDelayMs: null };
    return {
      ...flow,
      predictedLost: outcome?.lostPackets ?? null,
      predictedAddedDelayMs: outcome?.addedDelayMs ?? null,
    };
  });
}

/** Writes how a migration ended, and tells it. */
export function recordResult(
  run: Run,
  options: MigrateOptions,
  outcome: Outcome,
  redirections: RedirectionRecord[],
  flows: FlowRecord[],
  failure: unknown,
): MigrateResult {
  const { context, slice, vn, old, to, urpf, phases } = run;
  const id = run.id!;
  const { migrations, events } = context.store;
  const error = failure === undefined ? undefined : messageOf(failure);
  migrations.saveFlows(id, flows);
  migrations.finish(id, outcome, Date.now(), error);
  const summary = `VN '${vn.name}' from placement '${old.record.placementName}' to '${to.name}'`;
  events.add(slice.name, `migration-${outcome}`, error === undefined ? summary : `${summary}: ${error}`);
  return {
    slice: slice.name,
    vn: vn.name,
    from: old.record.placementName,
    to: to.name,
    control: options.control,
    schedule: options.schedule,
    granularity: options.granularity,
    urpf,
    outcome,
    durationMs: phases.list().reduce((sum, phase) => sum + phase.ms, 0),
    phases: phases.list(),
    moves: movesOf(vn, old.instance.placement, to.placement),
    fromRecord: migrations.find(id)?.fromRecord ?? [],
    redirections,
    flows,
    away: outcome === 'failed' ? edgesAway(run) : [],
    interrupted: context.signal?.aborted === true && outcome !== 'completed',
    ...(error === undefined ? {} : { error }),
  };
}
