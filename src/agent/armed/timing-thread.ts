/** The thread that does armed actions at their instants. It waits here and nowhere else: it has no event loop. */
import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { receiveMessageOnPort } from 'node:worker_threads';
import { messageOf, VnmError } from '../../model/errors.ts';
import { monotonicMs, suspendedMs } from './time.ts';
import { Timeline } from './timeline.ts';
import {
  type Refusal,
  type Report,
  type Request,
  readyRequest,
  type TimedAction,
  type TimingThreadData,
  type Tool,
} from './types.ts';
import { WarmTool } from './warm-tool.ts';

/** A wait ends up to so much late on a busy machine; the rest is spun away. */
const spinMs = 1;
/** So long before, the tool is asked for nothing: what has just run is run again in half the time. */
const warmUpMs = 3;
const priority = 50;

export function runTimingThread({ port, posted }: TimingThreadData): never {
  const counter = new Int32Array(posted);
  const tools: Record<Tool, WarmTool> = { ip: new WarmTool('ip'), tc: new WarmTool('tc') };
  const report = (message: Report) => port.postMessage(message);
  const timeline = new Timeline({
    monotonicMs,
    suspendedMs,
    perform: ({ tool, lines }) => (lines.length === 0 ? undefined : attempt(tools[tool], lines)),
    report: (id, outcome) => report({ type: 'outcome', id, outcome }),
  });

  function arm({ id, actions }: Extract<Request, { type: 'arm' }>): void {
    const used = actions.filter(({ lines }) => lines.length > 0).map(({ tool }) => tool);
    // Only what runs already takes no time to start. Of the two only `tc` gets names of interfaces, which now stay what they are.
    const errors = [used.includes('ip') && tools.ip.work([]), used.includes('tc') && tools.tc.renew()];
    for (const error of errors) if (error) throw new VnmError('failed', `'${id}' cannot be armed: ${error}`);
    timeline.arm(id, actions);
  }

  function handle(message: Request): Refusal | undefined {
    try {
      if (message.type === 'cancel') timeline.cancel(message.id);
      else arm(message);
      return undefined;
    } catch (error) {
      return { message: messageOf(error), hint: error instanceof VnmError ? error.hint : undefined };
    }
  }

  /** Where there is time for it. */
  function warmUp({ atMonotonicMs, tool, lines }: TimedAction): void {
    if (lines.length > 0 && atMonotonicMs - monotonicMs() > spinMs) attempt(tools[tool], []);
  }

  let warmedUp: TimedAction | undefined;
  // Looking for "no data" is an error to Node.js, and nobody wants to know where it comes from.
  Error.stackTraceLimit = 0;
  becomeRealtime();
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
    if (isPostedBefore(dueMs - warmUpMs, counter, seen)) continue;
    if (next !== undefined && next !== warmedUp) warmUp(next);
    warmedUp = next;
    if (isPostedBefore(dueMs - spinMs, counter, seen)) continue;
    while (monotonicMs() < dueMs && Atomics.load(counter, 0) === seen);
    if (Atomics.load(counter, 0) === seen) timeline.fireNext();
  }
}

/** Waits for the instant, or for a request. */
function isPostedBefore(atMs: number, counter: Int32Array, seen: number): boolean {
  return Atomics.wait(counter, 0, seen, atMs - monotonicMs()) !== 'timed-out';
}

/** Answers what went wrong. */
function attempt(tool: WarmTool, lines: readonly string[]): string | undefined {
  try {
    return tool.work(lines);
  } catch (error) {
    return messageOf(error);
  }
}

/** For this thread and what it starts. Where it is not allowed everything works, less exactly on a busy machine. */
function becomeRealtime(): void {
  const thread = basename(readlinkSync('/proc/thread-self'));
  spawnSync('chrt', ['--fifo', '--pid', String(priority), thread]);
}
