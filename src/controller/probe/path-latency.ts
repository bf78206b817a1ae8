/** Computes path latencies from the probes between two gateways. Pure. */
import { VnmError } from '../../model/errors.ts';
import type { StreamReport } from '../../vsys/messages.ts';

/** One-way latency between two gateways over one instance, in ms. */
export interface PathLatency {
  readonly from: string;
  readonly to: string;
  /**
   * Corrected by the clocks' offsets, wrong by at most `clockBoundMs`; may be negative. Schedules use these even if the
   * clocks are uncertain: the same error moves the armed redirections, and so cancels.
   */
  readonly minMs: number;
  readonly medianMs: number;
  /** p99 minus minimum. */
  readonly jitterMs: number;
  /** Median minus minimum: how much longer than the idle path `medianMs` may be. */
  readonly spreadMs: number;
  /** Whether the spread is small enough to make schedules from the median. Also true if nothing arrived. */
  readonly isSteady: boolean;
  readonly probes: number;
  readonly lost: number;
  readonly clockBoundMs: number;
  /** How `reportedMs` was measured. */
  readonly basis: LatencyBasis;
  /**
   * The latency to show: one-way as above or, if the clocks are too uncertain, half the round trip, in which they
   * cancel.
   */
  readonly reportedMs: { readonly min: number; readonly median: number };
}

export type LatencyBasis = 'one-way' | 'half-round-trip';

/** A clock bound up to this is never too uncertain. */
const tolerableBoundMs = 2;

/** The clocks are too uncertain when their bound is more than half of what is measured, and more than 2 ms. */
export function latencyBasis(clockBoundMs: number, halfRoundTripMs: number): LatencyBasis {
  return clockBoundMs > tolerableBoundMs && clockBoundMs > halfRoundTripMs / 2 ? 'half-round-trip' : 'one-way';
}

/** A spread up to this never matters: it is about a packet of a flow of 1.5 Mbit/s. */
const tolerableSpreadMs = 5;
/** A larger spread matters if it is more than this share of the latency. */
const tolerableSpreadShare = 0.05;

/** Probes in one direction, with delays by the two nodes' own clocks. */
export interface ProbedPath {
  readonly from: string;
  readonly to: string;
  readonly probes: number;
  readonly report: Pick<StreamReport, 'received' | 'dropped' | 'delayMs'>;
  /** The source's clock minus the destination's; `clockBoundMs` is its bound. */
  readonly correctionMs: number;
  readonly clockBoundMs: number;
}

/**
 * Combines several rounds of probes over one path: takes the round with the smallest median, since a busy node only
 * makes probes late, and the minimum of all rounds, which shows how much of that median is the path.
 */
export function steadiestRound(rounds: readonly ProbedPath[]): ProbedPath {
  const delays = rounds.flatMap(({ report }) => report.delayMs ?? []);
  const total = (value: (round: ProbedPath) => number) => rounds.reduce((sum, round) => sum + value(round), 0);
  const counts = {
    received: total(({ report }) => report.received),
    dropped: total(({ report }) => report.dropped),
  };
  const best = delays.reduce<(typeof delays)[number] | undefined>(
    (least, delay) => (least === undefined || delay.median < least.median ? delay : least),
    undefined,
  );
  const delayMs = best && { ...best, min: Math.min(...delays.map(({ min }) => min)) };
  return {
    ...rounds.at(-1)!,
    probes: total(({ probes }) => probes),
    report: delayMs === undefined ? counts : { ...counts, delayMs },
  };
}

/**
 * Computes the latency of one direction. `back`: probes of the other direction over the same instance. Throws VnmError
 * `failed` when one way takes longer than the round trip, or less than nothing, by more than the clocks' bound: then a
 * clock was set after its offset had been measured, and no result would be right.
 */
export function pathLatency(there: ProbedPath, back: ProbedPath): PathLatency {
  const { from, to, probes, report, correctionMs, clockBoundMs } = there;
  const { min, median, p99 } = report.delayMs ?? nothing;
  const other = back.report.delayMs ?? nothing;
  const oneWayMs = { min: min + correctionMs, median: median + correctionMs };
  const slackMs = clockBoundMs + unevenMs;
  if (oneWayMs.min < -slackMs || oneWayMs.min > min + other.min + slackMs) throw clockWasSet(from, to);
  const halfRoundTripMs = { min: (min + other.min) / 2, median: (median + other.median) / 2 };
  const basis = latencyBasis(clockBoundMs, halfRoundTripMs.median);
  const latencyMs = Number.isNaN(halfRoundTripMs.min) ? oneWayMs.min : halfRoundTripMs.min;
  const spreadMs = median - min;
  return {
    from,
    to,
    minMs: oneWayMs.min,
    medianMs: oneWayMs.median,
    jitterMs: p99 - min,
    spreadMs,
    isSteady: !(spreadMs > Math.max(tolerableSpreadMs, tolerableSpreadShare * latencyMs)),
    probes,
    lost: probes - report.received - Math.min(report.dropped, probes - report.received),
    clockBoundMs,
    basis,
    reportedMs: basis === 'one-way' ? oneWayMs : halfRoundTripMs,
  };
}

/** Slack for probes of the two directions, which are not in flight at the same instants. */
const unevenMs = 100;

function clockWasSet(from: string, to: string): VnmError {
  return new VnmError('failed', `the clock of gateway ${from} or ${to} was set while latencies were measured`, {
    hint: 'try again',
  });
}

const nothing = { min: Number.NaN, median: Number.NaN, p99: Number.NaN };
