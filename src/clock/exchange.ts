/** A node's clock seen from the controller's. */
export interface ClockEstimate {
  /** The node's clock minus the controller's, in ms, at `measuredAtMs` (controller's monotonic clock). */
  readonly offsetMs: number;
  /** The true offset lies within this distance of `offsetMs`, whatever the delays of the two directions were. */
  readonly boundMs: number;
  readonly measuredAtMs: number;
}

/** Four instants of one exchange (as in NTP, RFC 5905 section 8): sent and received here by one clock, there by another. */
export interface Exchange {
  readonly sentMs: number;
  readonly remoteReceivedMs: number;
  readonly remoteSentMs: number;
  readonly receivedMs: number;
}

/** Assumed largest difference in speed between two clocks: 50 parts per million, ms per ms. */
export const driftRate = 50e-6;

/** Offset with its bound, half the round trip less the time spent there. */
export function estimateFrom(exchange: Exchange, measuredAtMs: number): ClockEstimate {
  const { sentMs, remoteReceivedMs, remoteSentMs, receivedMs } = exchange;
  const roundTripMs = Math.max(0, receivedMs - sentMs - (remoteSentMs - remoteReceivedMs));
  const offsetMs = (remoteReceivedMs - sentMs + (remoteSentMs - receivedMs)) / 2;
  return { offsetMs, boundMs: roundTripMs / 2, measuredAtMs };
}

/** The bound of an estimate at a later instant: it grows with age. */
export function boundAt(estimate: ClockEstimate, nowMs: number): number {
  return estimate.boundMs + driftRate * Math.max(0, nowMs - estimate.measuredAtMs);
}

/** The sample with the smallest bound now (round trip and age together). Throws RangeError for no samples. */
export function bestEstimate(samples: readonly ClockEstimate[], nowMs: number): ClockEstimate {
  const [first, ...others] = samples;
  if (first === undefined) throw new RangeError('no clock samples');
  return others.reduce((best, sample) => (boundAt(sample, nowMs) < boundAt(best, nowMs) ? sample : best), first);
}
