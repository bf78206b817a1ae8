/**
 * The armed actions in order of time, and when to do each. Reads the time and acts only through its `TimelineParts`.
 */
import { VnmError } from '../../model/errors.ts';
import type { ActionOutcome, ArmedOutcome, ArmedState, TimedAction } from './types.ts';

/** The shortest lead: an action that is due sooner is refused, since writing it could already be late. */
export const minLeadMs = 5;
/** The longest lateness: an action that could not begin within this time after its instant is not begun. */
export const maxLatenessMs = 1000;

export interface TimelineParts {
  monotonicMs(): number;
  /** How long the machine has been suspended since it started; the monotonic clock does not count that. */
  suspendedMs(): number;
  /** Does an action. Returns the error, if any. */
  perform(action: TimedAction): string | undefined;
  report(id: string, outcome: ArmedOutcome): void;
}

interface Entry {
  readonly id: string;
  readonly suspendedMs: number;
  /** In the order given. */
  readonly actions: readonly TimedAction[];
  readonly outcomes: ActionOutcome[];
  /** Indices of the remaining actions, in order of time. */
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

  /** Cancels, unless the first action has begun: then all others are done too. */
  cancel(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined && !isBegun(entry)) this.#end(entry, 'cancelled');
  }

  /** Returns the action that is due next. */
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
    // Half a timeline is worse than a late one: finish what has begun.
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
    hint: `arm it at least ${minLeadMs} ms ahead`,
  });
}
