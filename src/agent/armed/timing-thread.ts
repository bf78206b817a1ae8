/** The thread that makes an actuator do armed actions at their instants. It has no event loop: it waits only here. */
import { receiveMessageOnPort } from 'node:worker_threads';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { Actuator } from '../dataplane/actuator.ts';
import { makeThisThreadRealtime, threadPriority } from '../realtime.ts';
import { Processors } from './processors.ts';
import { monotonicMs, suspendedMs } from './time.ts';
import { Timeline } from './timeline.ts';
import {
  type Refusal,
  type Report,
  type Request,
  readyRequest,
  type TimedAction,
  type TimingThreadData,
} from './types.ts';

/** A wait ends up to this late on a busy machine; the thread spins for the rest, and wakes the actuator. */
const spinMs = 0.5;
/** How long before the instant the actuator makes sure that it has what it needs. */
const warmUpMs = 3;

export function runTimingThread({ port, posted }: TimingThreadData, actuator: Actuator): never {
  const counter = new Int32Array(posted);
  const processors = new Processors();
  const report = (message: Report) => port.postMessage(message);
  const timeline = new Timeline({
    monotonicMs,
    suspendedMs,
    perform: ({ step }) => (step === undefined ? undefined : actuator.perform(step)),
    report: (id, outcome) => report({ type: 'outcome', id, outcome }),
  });

  function arm({ id, actions, supplies }: Extract<Request, { type: 'arm' }>): void {
    try {
      actuator.take(supplies);
    } catch (error) {
      throw new VnmError('failed', `'${id}' cannot be armed: ${messageOf(error)}`, { cause: error });
    }
    timeline.arm(id, actions);
  }

  function handle(message: Request): Refusal | undefined {
    try {
      if (message.type === 'cancel') timeline.cancel(message.id);
      else if (message.type === 'warm') actuator.take(message.supplies);
      else arm(message);
      return undefined;
    } catch (error) {
      return { message: messageOf(error), hint: error instanceof VnmError ? error.hint : undefined };
    }
  }

  /** Warms the actuator up only if there is time for it. */
  function warmUp({ atMonotonicMs, step }: TimedAction): void {
    processors.keepAwake();
    if (step !== undefined && atMonotonicMs - monotonicMs() > spinMs) actuator.warmUp(step);
  }

  let warmedUp: TimedAction | undefined;
  // "No data" is an error to Node.js, and its stack trace is of no use.
  Error.stackTraceLimit = 0;
  makeThisThreadRealtime(threadPriority);
  report({ type: 'answer', request: readyRequest });
  for (;;) {
    const seen = Atomics.load(counter, 0);
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const message = next.message as Request;
      const refusal = handle(message);
      report({ type: 'answer', request: message.request, ...(refusal === undefined ? {} : { refusal }) });
    }
    const next = timeline.next();
    const dueMs = next?.atMonotonicMs ?? Number.POSITIVE_INFINITY;
    if (dueMs - monotonicMs() > 2 * warmUpMs) processors.letSleep();
    if (isPostedBefore(dueMs - warmUpMs, counter, seen)) continue;
    if (next !== undefined && next !== warmedUp) warmUp(next);
    warmedUp = next;
    if (isPostedBefore(dueMs - spinMs, counter, seen)) continue;
    if (next?.step !== undefined) actuator.wake(next.step);
    while (monotonicMs() < dueMs && !isPosted(counter, seen));
    if (Atomics.load(counter, 0) === seen) timeline.fireNext();
  }
}

/** Waits for the instant or for a request. */
function isPostedBefore(atMs: number, counter: Int32Array, seen: number): boolean {
  return Atomics.wait(counter, 0, seen, atMs - monotonicMs()) !== 'timed-out';
}

/**
 * Polls for some microseconds: reading the time continuously makes garbage, and collecting it takes a good part of a
 * millisecond.
 */
function isPosted(counter: Int32Array, seen: number): boolean {
  for (let looks = 0; looks < 200; looks += 1) if (Atomics.load(counter, 0) !== seen) return true;
  return false;
}
