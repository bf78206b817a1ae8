/** Pure: which runs an experiment has, in which order, and which of them are a machine's share. */
import type { Combination } from './file/experiment.ts';
import { randomOf, shuffled } from './random.ts';

export interface PlannedRun {
  /** From 1, in the order of the runs. */
  readonly run: number;
  readonly combination: Combination;
  /** From 1. */
  readonly repetition: number;
}

/** One of several machines that share the runs of an experiment. */
export interface Shard {
  /** From 1 to `count`. */
  readonly index: number;
  readonly count: number;
}

interface Plan {
  readonly seed: number;
  readonly repetitions: number;
  readonly combinations: readonly Combination[];
}

/**
 * Every combination once, in random order, then every combination once more, until all repetitions are made
 * (randomised complete blocks): what drifts during the experiment affects all combinations alike.
 */
export function scheduleOf({ seed, repetitions, combinations }: Plan): PlannedRun[] {
  const random = randomOf(seed, 'schedule');
  const blocks = Array.from({ length: repetitions }, (_, index) =>
    shuffled(combinations, random).map((combination) => ({ combination, repetition: index + 1 })),
  );
  return blocks.flat().map((run, index) => ({ run: index + 1, ...run }));
}

/** Every `count`-th run, so that all shards take about as long. */
export function shareOf(schedule: readonly PlannedRun[], shard: Shard | undefined): PlannedRun[] {
  if (shard === undefined) return [...schedule];
  return schedule.filter(({ run }) => (run - 1) % shard.count === shard.index - 1);
}
