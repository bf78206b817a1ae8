/** Compares two clocks by their offsets from UTC: useful where the path between the ends is long or asymmetric. */
import { type ClockEstimate, driftRate } from './exchange.ts';

/** One source's reading of a machine's clock against UTC. */
export interface UtcReading {
  readonly kind: 'ntp' | 'chrony';
  /** The NTP server as given, or the source that chrony follows. */
  readonly name: string;
  /** The machine's clock minus UTC, in ms; for NTP, minus the server's clock. */
  readonly offsetMs: number;
  readonly boundMs: number;
}

/** `errors`: why servers could not be read. */
export interface UtcReport {
  readonly sources: UtcReading[];
  readonly errors: string[];
}

/**
 * Returns the other clock minus this one, once per source that both ends have. The bound is the sum of both bounds and
 * of the possible drift between the two readings. All readings were made in `period` (this end's monotonic clock).
 *
 * An NTP server is compared only with itself: its own error, which no bound includes, is then in both offsets and
 * cancels.
 */
export function estimatesByUtc(
  own: readonly UtcReading[],
  others: readonly UtcReading[],
  period: { fromMs: number; toMs: number },
): ClockEstimate[] {
  return others.flatMap((there) =>
    own
      .filter((here) => here.kind === there.kind && (here.kind === 'chrony' || here.name === there.name))
      .map((here) => ({
        offsetMs: there.offsetMs - here.offsetMs,
        boundMs: there.boundMs + here.boundMs + driftRate * (period.toMs - period.fromMs),
        measuredAtMs: period.fromMs,
        source: here.kind,
      })),
  );
}
