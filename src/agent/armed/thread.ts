/** The interface of the agent's main thread to the timing thread. */
import { setFlagsFromString } from 'node:v8';
import { MessageChannel, Worker } from 'node:worker_threads';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { Supplier } from '../dataplane/actuator.ts';
import {
  type ArmedOutcome,
  type Report,
  type Request,
  readyRequest,
  stepsOf,
  type TimedAction,
  type TimingThreadData,
} from './types.ts';

export interface TimingThread {
  /** Resolves when the thread accepts requests. Throws VnmError `failed`. */
  readonly ready: Promise<void>;
  /**
   * Resolves when the thread holds the actions. `names`: as in `Armed`. Throws VnmError `failed`: too late, or the
   * thread has ended.
   */
  arm(id: string, actions: readonly TimedAction[], names: number): Promise<void>;
  /** Prepares the actuator for such steps, so that the next `arm` need not. Throws VnmError `failed`. */
  warm(steps: readonly unknown[], names: number): Promise<void>;
  /** Resolves when this is decided and the outcome has been reported. Throws VnmError `failed`. */
  cancel(id: string): Promise<void>;
  end(): Promise<void>;
}

/**
 * Size in MB of the new thread's young generation: with this much room it collects garbage once in many hundred
 * redirections. Each collection takes a millisecond.
 */
const roomForGarbage = '--min-semi-space-size=16';

export interface TimingListeners {
  onOutcome(id: string, outcome: ArmedOutcome): void;
  /** The thread has ended unexpectedly. */
  onFailure(reason: string): void;
}

type Ask = Request extends infer R ? (R extends Request ? Omit<R, 'request'> : never) : never;

/** `file`: the path of the agent's program, which the thread also runs. */
export function startTimingThread(
  file: string,
  supplier: Supplier,
  { onOutcome, onFailure }: TimingListeners,
): TimingThread {
  const { port1: ours, port2: port } = new MessageChannel();
  const posted = new SharedArrayBuffer(4);
  const counter = new Int32Array(posted);
  const workerData: TimingThreadData = { role: 'timing', port, posted, actuator: supplier.actuator };
  setFlagsFromString(roomForGarbage);
  const worker = new Worker(file, { workerData, transferList: [port], name: 'timing' });
  const ready = Promise.withResolvers<void>();
  const open = new Map([[readyRequest, ready]]);
  let requests = readyRequest;
  let isEnded = false;

  function ask(request: Ask): Promise<void> {
    requests += 1;
    const answer = Promise.withResolvers<void>();
    open.set(requests, answer);
    ours.postMessage({ ...request, request: requests } satisfies Request);
    Atomics.add(counter, 0, 1);
    Atomics.notify(counter, 0);
    return answer.promise;
  }

  function onReport(report: Report): void {
    if (report.type === 'outcome') {
      onOutcome(report.id, report.outcome);
      return;
    }
    const { request, refusal } = report;
    const answer = open.get(request);
    open.delete(request);
    if (refusal === undefined) answer?.resolve();
    else answer?.reject(new VnmError('failed', refusal.message, { hint: refusal.hint }));
  }

  function onEnd(reason: string): void {
    if (isEnded) return;
    isEnded = true;
    supplier.end();
    for (const { reject } of open.values()) reject(new VnmError('failed', reason));
    onFailure(reason);
  }

  ours.on('message', onReport);
  worker.on('error', (error) => onEnd(`the timing thread ended: ${messageOf(error)}`));
  worker.on('exit', () => onEnd('the timing thread ended'));
  // The thread must not keep a process alive that has nothing else to do.
  ours.unref();
  worker.unref();
  // Callers need not wait for it.
  ready.promise.catch(() => {});
  return {
    ready: ready.promise,
    async arm(id, actions, names) {
      const supplies = await supplier.supply(stepsOf(actions), names).catch((error: unknown) => {
        throw new VnmError('failed', `'${id}' cannot be armed: ${messageOf(error)}`, { cause: error });
      });
      await ask({ type: 'arm', id, actions, supplies });
    },
    warm: async (steps, names) => ask({ type: 'warm', supplies: await supplier.supply(steps, names) }),
    cancel: (id) => ask({ type: 'cancel', id }),
    async end() {
      await worker.terminate();
      ours.close();
    },
  };
}
