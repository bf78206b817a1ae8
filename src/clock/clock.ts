import { readFileSync } from 'node:fs';

/** The time as a process sees it. */
export interface Clock {
  /** Unix time in ms with fractions. Steps when the system clock is set. */
  wallMs(): number;
  /** Ms with fractions from an arbitrary start; never steps. */
  monotonicMs(): number;
}

/** Where a clock takes the time from; tests pass their own. */
export interface ClockSources {
  /** Unix time in whole ms, rounded down. */
  dateNow(): number;
  monotonicMs(): number;
}

const systemSources: ClockSources = {
  dateNow: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
};

/**
 * Node.js gives Unix time in whole milliseconds only, so the clock measures its difference from the monotonic clock
 * once and keeps it: the kernel slews both clocks together, and only setting the clock changes the difference. Each
 * reading bounds the difference from both sides. That shows when the clock was set (the difference is measured again)
 * and corrects a measurement that was interrupted. `skewMs` shifts `wallMs`, for tests.
 */
export function createSystemClock(skewMs: number | (() => number) = 0, sources: ClockSources = systemSources): Clock {
  const { dateNow, monotonicMs } = sources;
  let differenceMs = Number.NaN;

  function wallMs(): number {
    const earliest = monotonicMs();
    const wholeMs = dateNow();
    const latest = monotonicMs();
    const low = wholeMs - latest;
    const high = wholeMs + 1 - earliest;
    const isClose = differenceMs > low - 1 && differenceMs < high + 1;
    differenceMs = isClose ? Math.min(Math.max(differenceMs, low), high) : measureDifference(sources);
    return monotonicMs() + differenceMs + (typeof skewMs === 'number' ? skewMs : skewMs());
  }

  return { wallMs, monotonicMs };
}

/**
 * Returns the clock as it is now, for work that takes a while: the result follows the monotonic clock, so setting the
 * system clock does not move it. Takes a few readings and uses the least interrupted one.
 */
export function steadyClock({ wallMs, monotonicMs }: Clock): Clock {
  const readings = Array.from({ length: 5 }, () => {
    const before = monotonicMs();
    const wall = wallMs();
    const after = monotonicMs();
    return { differenceMs: wall - (before + after) / 2, widthMs: after - before };
  });
  const { differenceMs } = readings.reduce((best, reading) => (reading.widthMs < best.widthMs ? reading : best));
  return { wallMs: () => monotonicMs() + differenceMs, monotonicMs };
}

/** Close enough; the readings themselves take a few microseconds. */
const closeMs = 0.01;
const patienceMs = 5;

/**
 * Returns the wall clock minus the monotonic clock. Each reading bounds it from both sides, closely where the wall
 * clock begins a new millisecond. So this takes up to 1 ms, plus 1 ms for every interruption at just that instant.
 */
function measureDifference(sources: ClockSources): number {
  const { dateNow, monotonicMs } = sources;
  const startMs = monotonicMs();
  let [low, high, latest] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, startMs];
  while (high - low > closeMs && latest - startMs < patienceMs) {
    const earliest = monotonicMs();
    const wholeMs = dateNow();
    latest = monotonicMs();
    low = Math.max(low, wholeMs - latest);
    high = Math.min(high, wholeMs + 1 - earliest);
  }
  // No difference fits: the clock was set during the measurement.
  return low > high ? measureDifference(sources) : (low + high) / 2;
}

/**
 * This process's clock. For tests, PL_VNM_CLOCK_SKEW_MS in the environment shifts it: a number of ms, or `@FILE` for
 * the number that the file holds now.
 */
export const systemClock: Clock = createSystemClock(skewOf(process.env.PL_VNM_CLOCK_SKEW_MS ?? '0'));

function skewOf(text: string): number | (() => number) {
  return text.startsWith('@') ? () => Number(readFileSync(text.slice(1), 'utf8')) : Number(text);
}
