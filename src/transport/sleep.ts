import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for `ms`, or until the signal aborts; the caller checks which. */
export async function sleepUnless(signal: AbortSignal | undefined, ms: number): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}
