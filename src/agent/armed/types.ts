/** What the agent's thread and the timing thread tell each other. Instants are monotonic ms, which both read alike. */
import type { MessagePort } from 'node:worker_threads';
import type { ActuatorData } from '../dataplane/actuator.ts';

/** A step for the actuator, and the instant before which it must not be begun. */
export interface TimedAction {
  readonly atMonotonicMs: number;
  /** Absent in an action that only shows when it would have been done. */
  readonly step?: unknown;
}

export function stepsOf(actions: readonly TimedAction[]): unknown[] {
  return actions.flatMap(({ step }) => (step === undefined ? [] : [step]));
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
      /** For the actuator. */
      readonly supplies: unknown;
    }
  | {
      /** As for `arm`, with nothing to do yet. */
      readonly type: 'warm';
      readonly supplies: unknown;
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
  readonly actuator: ActuatorData;
}

export function isTimingThreadData(data: unknown): data is TimingThreadData {
  return (data as Partial<TimingThreadData> | null)?.role === 'timing';
}
