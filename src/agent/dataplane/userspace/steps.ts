/**
 * Long work in steps of about a millisecond. Between them the thread forwards what has arrived, so that a node with
 * many routes goes on forwarding while it prepares what comes next.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

export type Steps<Result> = Generator<void, Result, void>;

const itemsInStep = 500;

/** Whether a step ends after this many items. */
export function endsStep(items: number): boolean {
  return items % itemsInStep === 0;
}

/** The first step is done at once, so short work is done when this returns. */
export async function inSteps<Result>(steps: Steps<Result>): Promise<Result> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await nextTurn();
  }
}

/** For a thread that has nothing to forward yet. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
