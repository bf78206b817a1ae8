import type { Clock } from './clock.ts';

/** Where an estimate comes from: exchanges with the other end, or both ends' offsets from UTC. */
export type EstimateSource = 'exchange' | 'ntp' | 'chrony';

/** A node's clock as seen from the controller's. */
export interface ClockEstimate {
  /** The node's clock minus the controller's, in ms, at `measuredAtMs` (controller's monotonic clock). */
  readonly offsetMs: number;
  /** The true offset lies within this distance of `offsetMs`, whatever the delays of the two directions were. */
  readonly boundMs: number;
  readonly measuredAtMs: number;
  readonly source: EstimateSource;
}

/** The four instants of one exchange (as in NTP, RFC 5905 section 8); the other end's clock gives the `remote` ones. */
export interface Exchange {
  readonly sentMs: number;
  readonly remoteReceivedMs: number;
  readonly remoteSentMs: number;
  readonly receivedMs: number;
}

/** The largest assumed difference in speed between two clocks: 50 parts per million (ms per ms). */
export const driftRate = 50e-6;

/** A batch: as many exchanges as fit into the time, but at least a few. With many, one is likely to meet no delay. */
const batch = { least: 4, most: 64, withinMs: 300 } as const;

/**
 * Returns the offset with its bound: half the round trip, without the time spent at the other end. The clocks drift
 * from `sentAtMs` (monotonic) on.
 */
export function estimateFrom(exchange: Exchange, sentAtMs: number): ClockEstimate {
  const { sentMs, remoteReceivedMs, remoteSentMs, receivedMs } = exchange;
  const roundTripMs = Math.max(0, receivedMs - sentMs - (remoteSentMs - remoteReceivedMs));
  const offsetMs = (remoteReceivedMs - sentMs + (remoteSentMs - receivedMs)) / 2;
  return { offsetMs, boundMs: roundTripMs / 2, measuredAtMs: sentAtMs, source: 'exchange' };
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

/** Whether some offset lies within both bounds. */
export function agree(one: ClockEstimate, other: ClockEstimate, nowMs: number): boolean {
  return Math.abs(one.offsetMs - other.offsetMs) <= boundAt(one, nowMs) + boundAt(other, nowMs);
}

/**
 * Returns the best of a batch of exchanges, made one after the other. `ask` returns when the request arrived and when
 * the answer left, by the other end's clock. `steady` is this end's clock; nothing may set it meanwhile
 * (`steadyClock`).
 */
export async function estimateByExchanges(
  ask: () => Promise<{ receivedAt: number; sentAt: number }>,
  steady: Clock,
): Promise<ClockEstimate> {
  const samples: ClockEstimate[] = [];
  const beganAtMs = steady.monotonicMs();
  const isEnough = () =>
    samples.length >= batch.most ||
    (samples.length >= batch.least && steady.monotonicMs() - beganAtMs >= batch.withinMs);
  while (!isEnough()) {
    const sentAtMs = steady.monotonicMs();
    const sentMs = steady.wallMs();
    const { receivedAt, sentAt } = await ask();
    const receivedMs = steady.wallMs();
    samples.push(estimateFrom({ sentMs, remoteReceivedMs: receivedAt, remoteSentMs: sentAt, receivedMs }, sentAtMs));
  }
  return bestEstimate(samples, steady.monotonicMs());
}
