/**
 * Carries out the runs of a result folder in the order of its schedule, and goes on where an earlier process ended,
 * however it ended: a run counts once its folder is complete.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from '../../controller/base/context.ts';
import { VnmError } from '../../model/errors.ts';
import type { StopRule } from '../file/experiment.ts';
import { describeParameters, variedIn } from '../parameters/index.ts';
import { parameterRow } from '../results/columns.ts';
import type { ResultFolder } from '../results/folder.ts';
import { runFolders, type Sample } from '../results/runs.ts';
import type { PlannedRun } from '../schedule.ts';
import { intervalWidthPercent, summarize } from '../statistics/summary.ts';
import { durationWords } from './duration-words.ts';

/** What a run found. */
export type Found = Pick<Sample, 'startedAt' | 'error' | 'values'> & {
  readonly outcome: Exclude<Sample['outcome'], 'skipped'>;
};

/**
 * Carries out one run, and writes its raw data into `directory`. A run that fails is found as such; throws only if no
 * further run is possible, or when the signal aborts.
 */
export type Execute = (run: PlannedRun, directory: string, signal: AbortSignal) => Promise<Found>;

export interface RunnerOptions {
  readonly report: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

/** Carries out all runs that are missing. What was half-done is removed and done again. */
export async function carryOutRuns(
  { path, experiment, share }: ResultFolder,
  execute: Execute,
  { report, signal }: RunnerOptions,
): Promise<void> {
  const runs = runFolders(path);
  const done = new Map(runs.open().map((sample) => [sample.run, sample]));
  const missing = share.filter(({ run }) => !done.has(run));
  if (done.size > 0) report({ kind: 'note', text: `${done.size} of ${share.length} runs are done already` });
  const siblings = Map.groupBy(share, ({ combination }) => combination);
  const varied = variedIn(experiment.combinations);
  const beganAtMs = performance.now();
  let carriedOut = 0;
  for (const [index, planned] of missing.entries()) {
    signal.throwIfAborted();
    const { run } = planned;
    if (
      experiment.stop !== undefined &&
      hasEnough(planned, siblings.get(planned.combination)!, done, experiment.stop)
    ) {
      begin(planned);
      complete(planned, { outcome: 'skipped', startedAt: null, error: null, values: {} });
      report({ kind: 'note', text: `run ${run} skipped: the interval of its combination is narrow enough` });
      continue;
    }
    const directory = begin(planned);
    const runBeganAtMs = performance.now();
    let found: Found;
    try {
      found = await execute(planned, directory, signal);
    } catch (error) {
      runs.discard(run);
      throw error;
    }
    complete(planned, found);
    carriedOut += 1;
    const meanMs = (performance.now() - beganAtMs) / carriedOut;
    const leftMs = meanMs * (missing.length - index - 1);
    report({
      kind: 'phase',
      text: progressText(found, {
        parameters: describeParameters(planned.combination.parameters, varied),
        position: `${share.indexOf(planned) + 1}/${share.length}`,
        tookMs: performance.now() - runBeganAtMs,
        leftMs,
      }),
      done: { parts: done.size, of: share.length, leftMs },
    });
  }

  function begin(planned: PlannedRun): string {
    const directory = runs.begin(planned.run);
    const parameters = { ...numbersOf(planned), parameters: parameterRow(planned.combination) };
    writeFileSync(join(directory, 'parameters.json'), `${JSON.stringify(parameters, null, 2)}\n`);
    return directory;
  }

  function complete(planned: PlannedRun, found: Omit<Sample, keyof RunNumbers>): void {
    const sample = { ...numbersOf(planned), ...found };
    runs.complete(sample);
    done.set(planned.run, sample);
  }
}

type RunNumbers = Pick<Sample, 'run' | 'combination' | 'repetition'>;

function numbersOf({ run, combination, repetition }: PlannedRun): RunNumbers {
  return { run, combination: combination.number, repetition };
}

/**
 * Whether the earlier runs of the same combination satisfy the stop rule. Depends on nothing else, so a resumed
 * experiment skips the same runs.
 */
function hasEnough(
  { run }: PlannedRun,
  siblings: readonly PlannedRun[],
  done: ReadonlyMap<number, Sample>,
  { value, narrowerThan, atLeast }: StopRule,
): boolean {
  const earlier = siblings.filter((other) => other.run < run);
  const values = earlier.flatMap((other) => {
    const sample = done.get(other.run);
    return sample?.outcome === 'completed' ? (sample.values[value] ?? []) : [];
  });
  return values.length >= atLeast && intervalWidthPercent(summarize(values, 0)) < 100 * narrowerThan;
}

function progressText(
  { outcome, error }: Found,
  { parameters, position, tookMs, leftMs }: { parameters: string; position: string; tookMs: number; leftMs: number },
): string {
  const which = parameters === '' ? '' : ` (${parameters})`;
  const words = `run ${position}${which} ${outcome} in ${durationWords(tookMs)}`;
  const why = error === null ? '' : `: ${error}`;
  return `${words}${why}; ${leftMs === 0 ? 'the last one' : `about ${durationWords(leftMs)} left`}`;
}

/** The error of an experiment that a signal stopped. */
export function interrupted(folder: string): VnmError {
  return new VnmError('interrupted', `the experiment was interrupted; complete runs are in ${folder}`, {
    hint: `run pl-vnm experiment resume ${folder}`,
  });
}
