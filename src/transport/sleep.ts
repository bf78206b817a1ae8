import { setTimeout as sleep } from 'node:timers/promises';

/** Waits so long, or until the signal aborts; whoever waits looks then. */
export async function sleepUnless(signal: AbortSignal | undefined, ms: number): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}
