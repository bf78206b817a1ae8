/** When the packets of a stream are due: packet k at `startMs + k * intervalMs`, by the monotonic clock. */

/** One tick sends at most the packets of so long. Longer than any turn of a healthy event loop, or the average rate would suffer. */
const longestBurstMs = 8;
/** But so many in any case, or a slow sender would never catch up. */
const minBurst = 4;

export interface Schedule {
  /** Monotonic ms of packet 0. */
  readonly startMs: number;
  readonly intervalMs: number;
}

export function intervalOf(payloadBytes: number, rateBps: number): number {
  return (payloadBytes * 8 * 1000) / rateBps;
}

/** Packets due by now and not sent yet. */
export function dueCount(schedule: Schedule, nowMs: number, sent: number): number {
  if (nowMs < schedule.startMs) return 0;
  return Math.max(0, Math.floor((nowMs - schedule.startMs) / schedule.intervalMs) + 1 - sent);
}

export function dueAt(schedule: Schedule, packet: number): number {
  return schedule.startMs + packet * schedule.intervalMs;
}

/**
 * How many of the due packets one tick (a millisecond or a little more) sends. What a pause of the event loop left behind is
 * caught up with over several ticks instead of all at once: the average stays, and queues on the way do not overflow.
 */
export function burstLimit(intervalMs: number): number {
  return Math.max(minBurst, Math.ceil(longestBurstMs / intervalMs));
}
