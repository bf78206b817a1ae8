/** Carries a migration out from the stage it is in to its end. */
import { messageOf, type VnmError } from '../../model/errors.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { Outcome } from '../../store/migrations.ts';
import { writeIfPossible } from '../base/best-effort.ts';
import type { CountedFlow, Traffic } from '../probe/traffic.ts';
import { reportIncompleteRollback } from './finish.ts';
import { type End, type Event, next, type Step } from './machine.ts';
import type { Progress, Steps } from './method.ts';
import { instanceSteps } from './methods/instance.ts';
import { plannedFlows, recordResult, withPrediction } from './result.ts';
import { trafficMargin } from './traffic-margin.ts';
import type { MigrateResult, MoveOptions, Recorded, Run } from './types.ts';

/**
 * Carries out the steps of the machine (machine.ts) from `first` on, without repeating earlier ones. `reason`: why the
 * migration is to be undone. Never throws for failures on nodes: the result has the outcome.
 */
export async function carryOut(
  run: Run,
  fresh: Recorded,
  options: MoveOptions,
  urpfBefore: UrpfMode,
  first: Step,
  reason?: VnmError,
): Promise<MigrateResult> {
  const { context, phases } = run;
  const startedAt = performance.now();
  const { control } = options;
  const progress: Progress = { startedAt, redirections: [], control, redirectedAt: startedAt, unproven: [] };
  const steps = instanceSteps(run, fresh, { options, urpfBefore, progress });
  const { outcome, failure } = await runSteps(run, steps, first, reason);
  phases.end();
  const { traffic, prepared, redirections, redirectedAt, unproven } = progress;
  if (traffic !== undefined && failure === undefined) await trafficMargin(redirectedAt);
  const flows = withPrediction(await countFlows(run, traffic), prepared?.decision);
  writeIfPossible(context, () => context.store.migrations.saveRedirections(run.id!, redirections));
  const done = { ...options, control: progress.control };
  const planned = plannedFlows(prepared?.decision);
  return recordResult(run, done, outcome, {
    redirections,
    flows,
    ...(planned === undefined ? {} : { planned }),
    failure,
    unproven,
  });
}

/**
 * Runs the steps of the machine from `first` on to their end. `failure`: the first one, or the reason if there is one.
 */
export async function runSteps(
  run: Run,
  steps: Steps,
  first: Step,
  reason?: unknown,
): Promise<{ readonly outcome: Outcome; readonly failure: unknown }> {
  let failure = reason;
  let step: Step | End = first;
  while (typeof step === 'string') {
    let event: Event = 'done';
    try {
      await steps[step]();
    } catch (error) {
      event = 'failed';
      if (step === 'send back' || step === 'remove') reportIncompleteRollback(run, error);
      else if (step !== 'retire') run.context.report({ kind: 'note', text: messageOf(error) });
      failure ??= error;
    }
    step = next(step, event);
  }
  return { outcome: step.outcome, failure };
}

/** Returns no counts if an end host's agent has ended meanwhile: its counts are lost, but the migration continues. */
export async function countFlows({ context }: Run, traffic: Traffic | undefined): Promise<CountedFlow[]> {
  try {
    return (await traffic?.finish()) ?? [];
  } catch (error) {
    context.report({ kind: 'note', text: `the flows could not be counted: ${messageOf(error)}` });
    return [];
  }
}
