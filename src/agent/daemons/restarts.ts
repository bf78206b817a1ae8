/** When to start a daemon again that has ended. Pure. */

const windowMs = 60_000;
/** In one window. */
const most = 5;
const firstDelayMs = 250;

/**
 * Returns how long to wait, or undefined if it has been started again too often to try once more. `earlier`: when it
 * was started again, in ms. The first time is without delay, since a router without a daemon soon loses its neighbours.
 */
export function nextRestart(earlier: readonly number[], nowMs: number): number | undefined {
  const recent = earlier.filter((at) => nowMs - at < windowMs).length;
  if (recent >= most) return undefined;
  return recent === 0 ? 0 : firstDelayMs * 2 ** (recent - 1);
}
