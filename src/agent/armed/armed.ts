/**
 * Actions to be done at an exact instant, on a separate thread: the agent stays free to answer, and armed actions
 * fire however busy the agent is and even if the controller is gone (DESIGN: "The agent").
 */
import { VnmError } from '../../model/errors.ts';
import type { TimingListeners, TimingThread } from './thread.ts';
import { monotonicMs } from './time.ts';
import type { ArmedOutcome, TimedAction } from './types.ts';

/** How long, and how many, outcomes wait to be collected; the oldest are dropped first. */
const keptMs = 86_400_000;
const maxKept = 1024;
/**
 * Timing of a lag measurement: the time to its first sample (the next value if the previous was too short), and the
 * time between samples, which is in step with no other timer.
 */
const lagLeadsMs = [20, 200, 2000];
const lagSpacingMs = 7.3;

/** `Context`: what the caller wants to find again with each id. */
export interface Armed<Context> {
  /**
   * Resolves once the timing thread holds the actions; each then begins at its instant or shortly after, never before.
   * `names`: when this number has changed since the last call, interface names may refer to other interfaces. Throws
   * VnmError `conflict` for an id that is already known, `forbidden` when too many are armed, `failed` when it is too
   * late.
   */
  arm(id: string, actions: readonly TimedAction[], context: Context, names?: number): Promise<void>;
  /** Starts the thread and prepares it for such steps, without arming anything. Throws VnmError `failed`. */
  ready(steps: readonly unknown[], names?: number): Promise<void>;
  /** Returns `cancelled` if no action was or will be done, `fired` if it is too late. Throws VnmError `not-found`. */
  cancel(id: string): Promise<'cancelled' | 'fired'>;
  /** Throws VnmError `not-found`. */
  find(id: string): Known<Context>;
  /** Frees an id, unless it is still armed. Throws VnmError `not-found`. */
  forget(id: string): void;
  /** Returns what is still to be done or finished. */
  pending(): Pending<Context>[];
  /** Measures how late, in ms, each of `samples` empty actions begins. Throws VnmError `failed`. */
  lag(samples: number): Promise<number[]>;
  /** Ends the thread. Armed actions are not done. */
  close(): Promise<void>;
}

interface Pending<Context> {
  readonly id: string;
  readonly context: Context;
}

interface Known<Context> {
  readonly outcome: ArmedOutcome;
  readonly context: Context;
}

/** `start`: called when a thread is first needed, and again if one has ended unexpectedly. */
export function createArmed<Context>(
  start: (listeners: TimingListeners) => TimingThread,
  limits: { readonly armed: number },
): Armed<Context> {
  const records = new Map<string, Known<Context> & { readonly changedMs: number }>();
  const measurements = new Map<string, PromiseWithResolvers<ArmedOutcome>>();
  let thread: TimingThread | undefined;
  let measured = 0;

  function onOutcome(id: string, outcome: ArmedOutcome): void {
    const known = records.get(id);
    if (known !== undefined) record(id, outcome, known.context);
    else if (outcome.state !== 'armed') measurements.get(id)?.resolve(outcome);
  }

  function record(id: string, outcome: ArmedOutcome, context: Context): void {
    // Moves it to the end of the order.
    records.delete(id);
    records.set(id, { outcome, context, changedMs: monotonicMs() });
    if (outcome.state !== 'armed') dropOld();
  }

  function dropOld(): void {
    const done = [...records].filter(([, { outcome }]) => outcome.state !== 'armed');
    const earliestMs = monotonicMs() - keptMs;
    for (const [index, [id, { changedMs }]] of done.entries()) {
      if (changedMs < earliestMs || index < done.length - maxKept) records.delete(id);
    }
  }

  function onFailure(reason: string): void {
    thread = undefined;
    for (const { reject } of measurements.values()) reject(new VnmError('failed', reason));
    for (const { id, context } of pending()) record(id, abandoned(find(id).outcome, reason), context);
  }

  function running(): TimingThread {
    thread ??= start({ onOutcome, onFailure });
    return thread;
  }

  function find(id: string): Known<Context> {
    const known = records.get(id);
    if (known !== undefined) return known;
    throw new VnmError('not-found', `nothing is or was armed as '${id}' on this node`);
  }

  function pending(): Pending<Context>[] {
    return [...records].flatMap(([id, { outcome, context }]) => (outcome.state === 'armed' ? [{ id, context }] : []));
  }

  async function arm(id: string, actions: readonly TimedAction[], context: Context, names = 0): Promise<void> {
    if (records.has(id)) throw new VnmError('conflict', `'${id}' is or was armed already`, { hint: 'use another id' });
    if (pending().length >= limits.armed) throw tooMany(id, limits.armed);
    const outcomes = actions.map(({ atMonotonicMs }) => ({ plannedMonotonicMs: atMonotonicMs }));
    // Reserves the id.
    record(id, { state: 'armed', actions: outcomes }, context);
    try {
      await running().arm(id, actions, names);
    } catch (error) {
      records.delete(id);
      throw error;
    }
  }

  async function cancel(id: string): Promise<'cancelled' | 'fired'> {
    if (find(id).outcome.state === 'armed') await thread?.cancel(id);
    const isBegun = find(id).outcome.actions.some(({ startedMonotonicMs }) => startedMonotonicMs !== undefined);
    return isBegun ? 'fired' : 'cancelled';
  }

  async function lag(samples: number): Promise<number[]> {
    await running().ready;
    for (const [attempt, leadMs] of lagLeadsMs.entries()) {
      try {
        return await measureLag(samples, leadMs);
      } catch (error) {
        if (attempt === lagLeadsMs.length - 1) throw error;
      }
    }
    throw new RangeError('no lead to try');
  }

  async function measureLag(samples: number, leadMs: number): Promise<number[]> {
    measured += 1;
    const id = `lag ${measured}`;
    const done = Promise.withResolvers<ArmedOutcome>();
    measurements.set(id, done);
    try {
      const startMs = monotonicMs() + leadMs;
      const actions = Array.from({ length: samples }, (_, index): TimedAction => {
        return { atMonotonicMs: startMs + index * lagSpacingMs };
      });
      await running().arm(id, actions, 0);
      return (await done.promise).actions.map((action) => action.startedMonotonicMs! - action.plannedMonotonicMs);
    } finally {
      measurements.delete(id);
    }
  }

  async function ready(steps: readonly unknown[], names = 0): Promise<void> {
    await running().ready;
    await running().warm(steps, names);
  }

  return {
    arm,
    ready,
    cancel,
    find,
    forget(id) {
      if (find(id).outcome.state !== 'armed') records.delete(id);
    },
    pending,
    lag,
    async close() {
      await thread?.end();
    },
  };
}

/** The outcome of actions that the thread could not do before it ended. */
function abandoned({ actions }: ArmedOutcome, reason: string): ArmedOutcome {
  return {
    state: 'failed',
    actions: actions.map((action) => (action.startedMonotonicMs === undefined ? { ...action, error: reason } : action)),
  };
}

function tooMany(id: string, limit: number): VnmError {
  return new VnmError('forbidden', `'${id}' cannot be armed: at most ${limit} may be armed at a time on this node`, {
    hint: 'cancel others, or raise limits.armed in the policy of the node',
  });
}
