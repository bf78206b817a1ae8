/** What the agent's thread and the timing thread tell each other. Instants are monotonic ms, which both read alike. */
import type { MessagePort } from 'node:worker_threads';

export type Tool = 'ip' | 'tc';

/** The timing thread's end of a tool's pipes. Reading the answer blocks, and nothing is quicker; the other two do not. */
export interface Pipes {
  readonly pid: number;
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

/** Lines for a waiting tool, each with its line feed, that print nothing, and the instant before which they must not be written. */
export interface TimedAction {
  readonly atMonotonicMs: number;
  readonly tool: Tool;
  /** None at all for an action that only shows when it would have been done. */
  readonly lines: readonly string[];
}

/**
 *     armed ──► fired      every action was done
 *       │ ├───► failed     every action was tried, at least one in vain
 *       │ ├───► missed     its instant had passed by far before the first action: nothing was done
 *       │ └───► cancelled  before the first action: nothing was done
 *       └ while actions are left
 */
export type ArmedState = 'armed' | 'fired' | 'failed' | 'missed' | 'cancelled';

/** What became of one action; without `startedMonotonicMs` it was not begun. */
export interface ActionOutcome {
  readonly plannedMonotonicMs: number;
  readonly startedMonotonicMs?: number;
  readonly finishedMonotonicMs?: number;
  readonly error?: string;
}

export interface ArmedOutcome {
  readonly state: ArmedState;
  /** In the order in which they were given. */
  readonly actions: readonly ActionOutcome[];
}

/** Each request has a number, which its answer bears. */
export type Request = { readonly request: number } & (
  | {
      readonly type: 'arm';
      readonly id: string;
      readonly actions: readonly TimedAction[];
      /** Processes for the lines of these actions, which the thread keeps. */
      readonly tools: Partial<Record<Tool, Pipes>>;
    }
  | { readonly type: 'cancel'; readonly id: string }
);

/** The thread answers it unasked, when it has begun. */
export const readyRequest = 0;

export type Report =
  | { readonly type: 'answer'; readonly request: number; readonly refusal?: Refusal }
  | { readonly type: 'outcome'; readonly id: string; readonly outcome: ArmedOutcome };

/** An error as it passes between threads. */
export interface Refusal {
  readonly message: string;
  readonly hint: string | undefined;
}

/** What the timing thread is started with. */
export interface TimingThreadData {
  readonly role: 'timing';
  readonly port: MessagePort;
  /** One Int32: counts the requests posted, and is what the thread waits on. */
  readonly posted: SharedArrayBuffer;
  /** See `endSilentTools`. */
  readonly waiting: SharedArrayBuffer;
}

export function isTimingThreadData(data: unknown): data is TimingThreadData {
  return (data as Partial<TimingThreadData> | null)?.role === 'timing';
}
