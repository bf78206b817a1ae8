/** Time for a thread that has no event loop. */
import { uptime } from 'node:os';

const never = new Int32Array(new SharedArrayBuffer(4));

/** The same clock as `Clock.monotonicMs`. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Blocks the thread. */
export function sleepMs(ms: number): void {
  Atomics.wait(never, 0, 0, ms);
}

/** How long the machine was suspended since it started, to about 10 ms: only `uptime` counts that. */
export function suspendedMs(): number {
  return uptime() * 1000 - monotonicMs();
}
