/** What is armed, in the order of time, and when it is done. Reads the time and acts only through what it is given. */
import { VnmError } from '../../model/errors.ts';
import type { ActionOutcome, ArmedOutcome, ArmedState, TimedAction } from './types.ts';

/** Something that is due sooner is refused: writing it could be late already. */
export const minLeadMs = 5;
/** Something that could not be begun for so long after its instant is not begun any more. */
export const maxLatenessMs = 1000;

export interface TimelineParts {
  monotonicMs(): number;
  /** How long the machine was suspended since it started; the monotonic clock does not count that. */
  suspendedMs(): number;
  /** Does an action. Answers what went wrong. */
  perform(action: TimedAction): string | undefined;
  report(id: string, outcome: ArmedOutcome): void;
}

interface Entry {
  readonly id: string;
  readonly suspendedMs: number;
  /** In the order in which they were given. */
  readonly actions: readonly TimedAction[];
  readonly outcomes: ActionOutcome[];
  /** Indices of the actions that are left, in the order of time. */
  readonly left: number[];
}

export class Timeline {
  readonly #parts: TimelineParts;
  readonly #entries = new Map<string, Entry>();

  constructor(parts: TimelineParts) {
    this.#parts = parts;
  }

  /** Throws VnmError `failed` when the first action is due too soon. */
  arm(id: string, actions: readonly TimedAction[]): void {
    const entry: Entry = {
      id,
      suspendedMs: this.#parts.suspendedMs(),
      actions,
      outcomes: actions.map(({ atMonotonicMs }) => ({ plannedMonotonicMs: atMonotonicMs })),
      left: [...actions.keys()].sort((a, b) => actions[a]!.atMonotonicMs - actions[b]!.atMonotonicMs),
    };
    const leadMs = dueMs(entry) - this.#parts.monotonicMs();
    if (leadMs < minLeadMs) throw tooLate(id, leadMs);
    this.#entries.set(id, entry);
    this.#parts.report(id, outcomeOf(entry, 'armed'));
  }

  /** Has no effect once the first action is begun: then the others belong to it. */
  cancel(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined && !isBegun(entry)) this.#end(entry, 'cancelled');
  }

  /** The action that is due next. */
  next(): TimedAction | undefined {
    const entry = this.#next();
    return entry?.actions[entry.left[0]!];
  }

  /** Does the next action if it is due. */
  fireNext(): void {
    const entry = this.#next();
    if (entry === undefined) return;
    const index = entry.left[0]!;
    const action = entry.actions[index]!;
    const suspendedMs = this.#parts.suspendedMs() - entry.suspendedMs;
    const startedMonotonicMs = this.#parts.monotonicMs();
    const latenessMs = startedMonotonicMs - action.atMonotonicMs;
    if (latenessMs < 0) return;
    // Half a timeline is worse than a late one: what was begun is finished.
    if (!isBegun(entry) && latenessMs + suspendedMs > maxLatenessMs) {
      this.#end(entry, 'missed');
      return;
    }
    const error = this.#parts.perform(action);
    entry.left.shift();
    entry.outcomes[index] = {
      plannedMonotonicMs: action.atMonotonicMs,
      startedMonotonicMs,
      finishedMonotonicMs: this.#parts.monotonicMs(),
      ...(error === undefined ? {} : { error }),
    };
    if (entry.left.length > 0) this.#parts.report(entry.id, outcomeOf(entry, 'armed'));
    else this.#end(entry, entry.outcomes.some((outcome) => outcome.error !== undefined) ? 'failed' : 'fired');
  }

  #next(): Entry | undefined {
    let next: Entry | undefined;
    for (const entry of this.#entries.values()) if (next === undefined || dueMs(entry) < dueMs(next)) next = entry;
    return next;
  }

  #end(entry: Entry, state: ArmedState): void {
    this.#entries.delete(entry.id);
    this.#parts.report(entry.id, outcomeOf(entry, state));
  }
}

function dueMs({ actions, left }: Entry): number {
  return actions[left[0]!]!.atMonotonicMs;
}

function isBegun({ actions, left }: Entry): boolean {
  return left.length < actions.length;
}

function outcomeOf({ outcomes }: Entry, state: ArmedState): ArmedOutcome {
  return { state, actions: outcomes };
}

function tooLate(id: string, leadMs: number): VnmError {
  const when = leadMs < 0 ? `was ${(-leadMs).toFixed(1)} ms ago` : `is in ${leadMs.toFixed(1)} ms`;
  return new VnmError('failed', `'${id}' is armed too late: its instant ${when}`, {
    hint: `it takes a lead of at least ${minLeadMs} ms`,
  });
}
