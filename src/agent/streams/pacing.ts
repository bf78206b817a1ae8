/** When the packets of a stream are due: packet k at `startMs + k * intervalMs`, by the monotonic clock. */

/**
 * One tick sends at most the packets of this much time. It is longer than any turn of a healthy event loop; otherwise
 * the average rate would drop.
 */
const longestBurstMs = 8;
/** One tick may always send this many, or a slow sender would never catch up. */
const minBurst = 4;

export interface Schedule {
  /** Monotonic ms of packet 0. */
  readonly startMs: number;
  readonly intervalMs: number;
}

export function intervalOf(payloadBytes: number, rateBps: number): number {
  return (payloadBytes * 8 * 1000) / rateBps;
}

/** Returns how many packets are due by now and not yet sent. */
export function dueCount(schedule: Schedule, nowMs: number, sent: number): number {
  if (nowMs < schedule.startMs) return 0;
  return Math.max(0, Math.floor((nowMs - schedule.startMs) / schedule.intervalMs) + 1 - sent);
}

export function dueAt(schedule: Schedule, packet: number): number {
  return schedule.startMs + packet * schedule.intervalMs;
}

/**
 * Returns how many of the due packets one tick (a millisecond or a little more) sends. After a pause of the event loop
 * the sender catches up over several ticks instead of at once: the average rate stays, and queues on the path do not
 * overflow.
 */
export function burstLimit(intervalMs: number): number {
  return Math.max(minBurst, Math.ceil(longestBurstMs / intervalMs));
}
