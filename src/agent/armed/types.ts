/**
 * The messages between the agent's main thread and the timing thread. Instants are monotonic ms, which both threads
 * read alike.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ActuatorData } from '../dataplane/actuator.ts';

/** A step for the actuator, and the instant before which it must not be begun. */
export interface TimedAction {
  readonly atMonotonicMs: number;
  /** Absent in an action that only measures when it would have been done. */
  readonly step?: unknown;
}

export function stepsOf(actions: readonly TimedAction[]): unknown[] {
  return actions.flatMap(({ step }) => (step === undefined ? [] : [step]));
}

/**
 *     armed ──► fired      all actions were done
 *       │ ├───► failed     all actions were tried, at least one failed
 *       │ ├───► missed     it was far too late to begin the first action: nothing was done
 *       │ └───► cancelled  before the first action: nothing was done
 *       └ while actions are left
 */
export type ArmedState = 'armed' | 'fired' | 'failed' | 'missed' | 'cancelled';

/** The outcome of one action; without `startedMonotonicMs` it did not begin. */
export interface ActionOutcome {
  readonly plannedMonotonicMs: number;
  readonly startedMonotonicMs?: number;
  readonly finishedMonotonicMs?: number;
  readonly error?: string;
}

export interface ArmedOutcome {
  readonly state: ArmedState;
  /** In the order given. */
  readonly actions: readonly ActionOutcome[];
}

/** Each request has a number, which its answer repeats. */
export type Request = { readonly request: number } & (
  | {
      readonly type: 'arm';
      readonly id: string;
      readonly actions: readonly TimedAction[];
      /** What the actuator needs. */
      readonly supplies: unknown;
    }
  | {
      /** Like `arm`, without actions. */
      readonly type: 'warm';
      readonly supplies: unknown;
    }
  | { readonly type: 'cancel'; readonly id: string }
);

/** The number of the answer that the thread sends unasked when it has begun. */
export const readyRequest = 0;

export type Report =
  | { readonly type: 'answer'; readonly request: number; readonly refusal?: Refusal }
  | { readonly type: 'outcome'; readonly id: string; readonly outcome: ArmedOutcome };

/** An error as it passes between threads. */
export interface Refusal {
  readonly message: string;
  readonly hint: string | undefined;
}

/** What the timing thread starts with. */
export interface TimingThreadData {
  readonly role: 'timing';
  readonly port: MessagePort;
  /** One Int32 that counts the posted requests; the thread waits on it. */
  readonly posted: SharedArrayBuffer;
  readonly actuator: ActuatorData;
}

export function isTimingThreadData(data: unknown): data is TimingThreadData {
  return (data as Partial<TimingThreadData> | null)?.role === 'timing';
}
