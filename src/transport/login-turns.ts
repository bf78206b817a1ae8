/** Log-ins to one server: how many at a time, and again after the server has dropped one. */
import type { VnmError } from '../model/errors.ts';
import { sleepUnless } from './sleep.ts';

/**
 * Simultaneous log-ins to one server: sshd drops connections from the tenth unauthenticated one on (MaxStartups
 * 10:30:100).
 */
const maxAtOnce = 6;

const underWay = new Map<string, { count: number; readonly waiting: Set<() => void> }>();

/**
 * Runs it when fewer than `maxAtOnce` log-ins to the place are in progress, or at once when the signal aborts: `run`
 * then reports that.
 */
export async function inTurn<T>(place: string, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  const turns = underWay.get(place) ?? { count: 0, waiting: new Set() };
  underWay.set(place, turns);
  if (turns.count < maxAtOnce) turns.count += 1;
  else if (!(await turnOf(turns.waiting, signal))) return run();
  try {
    return await run();
  } finally {
    const [next] = turns.waiting;
    if (next !== undefined) next();
    else turns.count -= 1;
    if (turns.count === 0) underWay.delete(place);
  }
}

/** Whether it got its turn before the signal aborted. */
async function turnOf(waiting: Set<() => void>, signal: AbortSignal | undefined): Promise<boolean> {
  if (signal?.aborted) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const go = () => resolve(true);
  const give = () => resolve(false);
  waiting.add(go);
  signal?.addEventListener('abort', give, { once: true });
  try {
    return await promise;
  } finally {
    waiting.delete(go);
    signal?.removeEventListener('abort', give);
  }
}

/** A server that drops a connection may have too many unauthenticated ones (sshd's MaxStartups). */
const tries = 6;
const firstPauseMs = 150;

/** The server closed the connection before it sent its name: another try may help. */
export class Dropped extends Error {
  readonly reason: VnmError;

  constructor(reason: VnmError) {
    super(reason.message);
    this.reason = reason;
  }
}

/**
 * Tries to log in, in turn with other log-ins to the place, and again after a `Dropped`, for `withinMs` at most. Throws
 * the reason of the last `Dropped`, and what else `tryOnce` throws.
 */
export async function logInTurns<T>(
  place: string,
  { withinMs, signal }: { withinMs: number; signal?: AbortSignal | undefined },
  tryOnce: () => Promise<T>,
): Promise<T> {
  let spentMs = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTurn(place, signal, async () => {
        const startMs = performance.now();
        try {
          return await tryOnce();
        } finally {
          // The time of log-ins that had their turn before this one does not count.
          spentMs += performance.now() - startMs;
        }
      });
    } catch (error) {
      if (!(error instanceof Dropped)) throw error;
      const pauseMs = firstPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random());
      spentMs += pauseMs;
      if (attempt === tries || spentMs > withinMs) throw error.reason;
      // The next try reports an interruption.
      await sleepUnless(signal, pauseMs);
    }
  }
}
