/** The timing thread as the agent's thread sees it. */
import { setFlagsFromString } from 'node:v8';
import { MessageChannel, Worker } from 'node:worker_threads';
import { messageOf, VnmError } from '../../model/errors.ts';
import { endSilentTools, waitingBytes } from './silent-tools.ts';
import {
  type ArmedOutcome,
  type Pipes,
  type Report,
  type Request,
  readyRequest,
  type TimedAction,
  type TimingThreadData,
  type Tool,
} from './types.ts';
import { closePipes, startReadyTool } from './warm-tool.ts';

export interface TimingThread {
  /** Resolves when it waits for what comes. Throws VnmError `failed`. */
  readonly ready: Promise<void>;
  /** Resolves when the thread holds it. `names`: as in `Armed`. Throws VnmError `failed`: too late, or the thread has ended. */
  arm(id: string, actions: readonly TimedAction[], names: number): Promise<void>;
  /** Resolves when it is decided, and the outcome told. Throws VnmError `failed`. */
  cancel(id: string): Promise<void>;
  end(): Promise<void>;
}

/** With room for so many MB a thread that starts collects garbage once in many hundred redirections: each time takes a millisecond. */
const roomForGarbage = '--min-semi-space-size=16';

interface Listeners {
  onOutcome(id: string, outcome: ArmedOutcome): void;
  /** It has ended by itself. */
  onFailure(reason: string): void;
}

type Ask = Request extends infer R ? (R extends Request ? Omit<R, 'request'> : never) : never;

/** `file`: of the agent's program, which the thread runs too. */
export function startTimingThread(file: string, { onOutcome, onFailure }: Listeners): TimingThread {
  const { port1: ours, port2: port } = new MessageChannel();
  const posted = new SharedArrayBuffer(4);
  const counter = new Int32Array(posted);
  const waiting = new SharedArrayBuffer(waitingBytes);
  const workerData: TimingThreadData = { role: 'timing', port, posted, waiting };
  setFlagsFromString(roomForGarbage);
  const worker = new Worker(file, { workerData, transferList: [port], name: 'timing' });
  const stopWatching = endSilentTools(new Int32Array(waiting));
  const ready = Promise.withResolvers<void>();
  const open = new Map([[readyRequest, ready]]);
  /** By the tools that the thread has: the number with which each was started. */
  const known = new Map<Tool, number>();
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
    stopWatching();
    for (const { reject } of open.values()) reject(new VnmError('failed', reason));
    onFailure(reason);
  }

  ours.on('message', onReport);
  worker.on('error', (error) => onEnd(`the timing thread ended: ${messageOf(error)}`));
  worker.on('exit', () => onEnd('the timing thread ended'));
  // It shall not keep alive a process that has nothing else to do.
  ours.unref();
  worker.unref();
  // Nobody need wait for it.
  ready.promise.catch(() => {});
  return {
    ready: ready.promise,
    async arm(id, actions, names) {
      const used = new Set(actions.filter(({ lines }) => lines.length > 0).map(({ tool }) => tool));
      // One that runs already is good enough as long as the names that it knows are.
      const wanted = [...used].filter((tool) => known.get(tool) !== names);
      const tools: Partial<Record<Tool, Pipes>> = {};
      try {
        for (const tool of wanted) tools[tool] = await startReadyTool(tool);
        if (isEnded) throw new VnmError('failed', 'the timing thread has ended');
      } catch (error) {
        for (const pipes of Object.values(tools)) closePipes(pipes);
        throw new VnmError('failed', `'${id}' cannot be armed: ${messageOf(error)}`, { cause: error });
      }
      for (const tool of wanted) known.set(tool, names);
      await ask({ type: 'arm', id, actions, tools });
    },
    cancel: (id) => ask({ type: 'cancel', id }),
    async end() {
      await worker.terminate();
      ours.close();
    },
  };
}
