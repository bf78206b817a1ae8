/** The thread that does armed actions at their instants. It waits here and nowhere else: it has no event loop. */
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { receiveMessageOnPort } from 'node:worker_threads';
import { messageOf, VnmError } from '../../model/errors.ts';
import { Processors } from './processors.ts';
import { becomeRealtime, threadPriority } from './realtime.ts';
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

/** A wait ends up to so much late on a busy machine; the rest is spun away, and the tool woken. */
const spinMs = 0.5;
/** So long before, the tool is asked for nothing: it is started anew now if it has ended, and finds in the caches what it needs. */
const warmUpMs = 3;

export function runTimingThread({ port, posted, waiting }: TimingThreadData): never {
  const counter = new Int32Array(posted);
  const warm = (tool: Tool) => new WarmTool(tool, new Int32Array(waiting));
  const tools: Record<Tool, WarmTool> = { ip: warm('ip'), tc: warm('tc') };
  const processors = new Processors();
  const report = (message: Report) => port.postMessage(message);
  const timeline = new Timeline({
    monotonicMs,
    suspendedMs,
    perform: ({ tool, lines }) => (lines.length === 0 ? undefined : attempt(tools[tool], lines)),
    report: (id, outcome) => report({ type: 'outcome', id, outcome }),
  });

  function arm({ id, actions, tools: others }: Extract<Request, { type: 'arm' }>): void {
    for (const tool of ['ip', 'tc'] as const) {
      const pipes = others[tool];
      if (pipes !== undefined) tools[tool].take(pipes);
      else if (actions.some((action) => action.tool === tool && action.lines.length > 0)) {
        // Only what runs already takes no time to start.
        const error = tools[tool].work([]);
        if (error !== undefined) throw new VnmError('failed', `'${id}' cannot be armed: ${error}`);
      }
    }
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

  /** The tool only where there is time for it. */
  function warmUp({ atMonotonicMs, tool, lines }: TimedAction): void {
    processors.keepAwake();
    if (lines.length > 0 && atMonotonicMs - monotonicMs() > spinMs) attempt(tools[tool], []);
  }

  let warmedUp: TimedAction | undefined;
  // Looking for "no data" is an error to Node.js, and nobody wants to know where it comes from.
  Error.stackTraceLimit = 0;
  becomeRealtime(Number(basename(readlinkSync('/proc/thread-self'))), threadPriority);
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
    const tool = next === undefined || next.lines.length === 0 ? undefined : tools[next.tool];
    tool?.wake();
    while (monotonicMs() < dueMs && !isPosted(counter, seen));
    if (Atomics.load(counter, 0) === seen) timeline.fireNext();
  }
}

/** Waits for the instant, or for a request. */
function isPostedBefore(atMs: number, counter: Int32Array, seen: number): boolean {
  return Atomics.wait(counter, 0, seen, atMs - monotonicMs()) !== 'timed-out';
}

/** Looks for some microseconds: reading the time all the time makes garbage, and collecting that takes a good part of a millisecond. */
function isPosted(counter: Int32Array, seen: number): boolean {
  for (let looks = 0; looks < 200; looks += 1) if (Atomics.load(counter, 0) !== seen) return true;
  return false;
}

/** Answers what went wrong. */
function attempt(tool: WarmTool, lines: readonly string[]): string | undefined {
  try {
    return tool.work(lines);
  } catch (error) {
    return messageOf(error);
  }
}
