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
