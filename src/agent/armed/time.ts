/** Time for a thread that has no event loop. */
import { uptime } from 'node:os';

/** Reads the same clock as `Clock.monotonicMs`. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** How long the machine has been suspended since it started, to about 10 ms: only `uptime` includes that time. */
export function suspendedMs(): number {
  return uptime() * 1000 - monotonicMs();
}
