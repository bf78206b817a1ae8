/** Two clocks compared by what each end knows of UTC: of use where the way between the ends is long or lopsided. */
import { type ClockEstimate, driftRate } from './exchange.ts';

/** A machine's clock against UTC, by one source. */
export interface UtcReading {
  readonly kind: 'ntp' | 'chrony';
  /** The NTP server as it was named, or the source that chrony follows. */
  readonly name: string;
  /** The machine's clock minus UTC, in ms; for NTP, minus the server's clock. */
  readonly offsetMs: number;
  readonly boundMs: number;
}

/** `errors`: of servers that could not be read. */
export interface UtcReport {
  readonly sources: UtcReading[];
  readonly errors: string[];
}

/**
 * The other clock minus this one, by each source that both ends have; both bounds count, and what the clocks may have drifted from
 * one reading to the other. All readings were made in `period` (this end's monotonic clock).
 *
 * One NTP server only compares with itself: then its own error, which is in no bound, is in both offsets and cancels.
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
