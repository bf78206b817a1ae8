/** The time as a process sees it. */
export interface Clock {
  /** Unix time in ms with fractions. Follows when the system's clock is set. */
  wallMs(): number;
  /** Ms with fractions from an arbitrary start; never steps. */
  monotonicMs(): number;
}

/** Where a clock takes the time from; tests put their own. */
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
 * Node.js tells Unix time in whole milliseconds only, so its difference to the monotonic clock is measured once and kept: the
 * kernel slews both clocks together, and only setting the clock changes the difference. Each reading bounds the difference from
 * both sides, which shows when the clock was set (it is measured again) and mends a measurement that was interrupted.
 * `skewMs` shifts `wallMs`, for tests.
 */
export function createSystemClock(skewMs = 0, sources: ClockSources = systemSources): Clock {
  const { dateNow, monotonicMs } = sources;
  let differenceMs = Number.NaN;

  function wallMs(): number {
    const earliest = monotonicMs();
    const wholeMs = dateNow();
    const latest = monotonicMs();
    const low = wholeMs - latest;
    const high = wholeMs + 1 - earliest;
    const isClose = differenceMs > low - 1 && differenceMs < high + 1;
    differenceMs = isClose ? Math.min(Math.max(differenceMs, low), high) : differenceAtTick(sources);
    return monotonicMs() + differenceMs + skewMs;
  }

  return { wallMs, monotonicMs };
}

/** Wall clock minus monotonic clock, where the wall clock begins a new millisecond. Takes up to 1 ms. */
function differenceAtTick({ dateNow, monotonicMs }: ClockSources): number {
  const before = dateNow();
  let now = before;
  while (now === before) now = dateNow();
  return now - monotonicMs();
}

/** This process's clock; PL_VNM_CLOCK_SKEW_MS in its environment shifts it, for tests. */
export const systemClock: Clock = createSystemClock(Number(process.env.PL_VNM_CLOCK_SKEW_MS ?? 0));
