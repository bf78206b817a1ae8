/** What holds around a run, and is ended after it. */
import type { Undo } from '../parameters/parameter.ts';

/**
 * Sets conditions up one after the other, runs `body`, and ends them in the reverse order. Each is ended, also if
 * another could not be; `onFault` gets why. What `body` returns or throws stays.
 */
export async function underConditions<T>(
  setUps: readonly (() => Promise<Undo | undefined> | undefined)[],
  body: () => Promise<T>,
  onFault: (error: unknown) => void,
): Promise<T> {
  const undos: Undo[] = [];
  try {
    for (const setUp of setUps) {
      const undo = await setUp();
      if (undo !== undefined) undos.push(undo);
    }
    return await body();
  } finally {
    for (const undo of undos.toReversed()) await undo().catch(onFault);
  }
}
