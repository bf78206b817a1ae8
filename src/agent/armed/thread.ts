/** The timing thread as the agent's thread sees it. */
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
  /** Resolves when it waits for what comes. Throws VnmError `failed`. */
  readonly ready: Promise<void>;
  /** Resolves when the thread holds it. `names`: as in `Armed`. Throws VnmError `failed`: too late, or the thread has ended. */
  arm(id: string, actions: readonly TimedAction[], names: number): Promise<void>;
  /** Makes the actuator ready for such steps: the next `arm` need not. Throws VnmError `failed`. */
  warm(steps: readonly unknown[], names: number): Promise<void>;
  /** Resolves when it is decided, and the outcome told. Throws VnmError `failed`. */
  cancel(id: string): Promise<void>;
  end(): Promise<void>;
}

/** With room for so many MB a thread that starts collects garbage once in many hundred redirections: each time takes a millisecond. */
const roomForGarbage = '--min-semi-space-size=16';

export interface TimingListeners {
  onOutcome(id: string, outcome: ArmedOutcome): void;
  /** It has ended by itself. */
  onFailure(reason: string): void;
}

type Ask = Request extends infer R ? (R extends Request ? Omit<R, 'request'> : never) : never;

/** `file`: of the agent's program, which the thread runs too. */
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
  // It must not keep alive a process that has nothing else to do.
  ours.unref();
  worker.unref();
  // No caller need wait for it.
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
