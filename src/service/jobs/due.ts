/**
 * When the runs of a job are due. All times are Unix ms.
 *
 * node-cron's own `getNextRuns` leaves out what falls into an hour that the clocks skip, and all of an hour that they repeat but its
 * end, so here the pattern is laid over real time instead. Where the clocks are
 * - put forward, what the skipped hour would have held is due once, right after the change;
 * - put back, what the repeated hour holds is due the first time only.
 * A pattern for every hour is due whenever the clocks show a time that it names, so that it goes on as if nothing had been.
 */
import { type Pattern, parsePattern } from './pattern.ts';
import { type ClockChange, dayMs, type Zone, zoneOf } from './zone.ts';

/** Either `cron` is set, or `at`. */
export interface Timing {
  readonly cron: string | null;
  readonly at: number | null;
  readonly timezone: string;
}

/** A stretch of time in which the zone's clocks are not changed, [start, end); `change`: what it begins with. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly offsetMs: number;
  readonly change?: ClockChange;
}

/** No pattern that is ever due is not for longer: 29 February on a given weekday, over a century without a leap day. */
const furthestDays = 41 * 366;
/** How far clocks can be changed. */
const largestChangeMs = dayMs;

/** All that is due in (from, to], oldest first. */
export function dueBetween(timing: Timing, from: number, to: number): number[] {
  if (to <= from) return [];
  if (timing.cron === null) return timing.at !== null && timing.at > from && timing.at <= to ? [timing.at] : [];
  const pattern = parsePattern(timing.cron);
  if (!mayBeOn(pattern, from, to)) return [];
  const due = new Set<number>();
  for (const stretch of stretches(zoneOf(timing.timezone), from, to)) {
    for (const at of dueIn(pattern, stretch, from, to)) if (at > from && at <= to) due.add(at);
  }
  return [...due].sort((a, b) => a - b);
}

/** The newest of what is due in (from, to], at most `limit`, oldest first; and whether there is more before. */
export function newestDue(timing: Timing, from: number, to: number, limit: number): { due: number[]; more: boolean } {
  let due: number[] = [];
  for (let end = to; end > from; end -= dayMs) {
    due = [...dueBetween(timing, Math.max(from, end - dayMs), end), ...due];
    if (due.length > limit) return { due: due.slice(-limit), more: true };
  }
  return { due, more: false };
}

/** The next that are due after an instant; fewer where there are no more. */
export function nextDue(timing: Timing, after: number, count: number): number[] {
  if (timing.at !== null) return dueBetween(timing, after, Number.MAX_SAFE_INTEGER);
  const due: number[] = [];
  for (let day = 0; day < furthestDays && due.length < count; day += 1) {
    const from = after + day * dayMs;
    due.push(...dueBetween(timing, from, from + dayMs));
  }
  return due.slice(0, count);
}

/** Whether it is worth looking closer; clocks may be up to a day away from UTC, and what they skip as long. */
function mayBeOn(pattern: Pattern, from: number, to: number): boolean {
  const last = Math.floor(to / dayMs) + 1;
  for (let day = Math.floor(from / dayMs) - 2; day <= last; day += 1) if (pattern.onDay(day)) return true;
  return false;
}

/** From a day before `from`, so that a change is known of which the repeated hour is not over yet. */
function stretches(zone: Zone, from: number, to: number): Stretch[] {
  const start = from - largestChangeMs;
  const changes = zone.changes(start, to);
  const first = { start, offsetMs: zone.offsetMs(start) };
  const begins = [first, ...changes.map((change) => ({ start: change.at, offsetMs: change.toMs, change }))];
  return begins.map((begin, index) => ({ ...begin, end: begins[index + 1]?.start ?? to + 1 }));
}

function* dueIn(pattern: Pattern, stretch: Stretch, from: number, to: number): Generator<number> {
  const { start, end, offsetMs, change } = stretch;
  let earliest = Math.max(start, from);
  if (change !== undefined && !pattern.everyHour) {
    const { at, fromMs, toMs } = change;
    if (toMs > fromMs && at > from && at <= to && !timesBetween(pattern, at + fromMs, at + toMs).next().done) yield at;
    earliest = Math.max(earliest, at + fromMs - toMs);
  }
  for (const local of timesBetween(pattern, earliest + offsetMs, end + offsetMs)) yield local - offsetMs;
}

/** The times in [from, to) that a pattern names, by clocks that are never changed. */
function* timesBetween({ onDay, hours, minutes, seconds }: Pattern, from: number, to: number): Generator<number> {
  for (let day = Math.floor(from / dayMs); day * dayMs < to; day += 1) {
    if (!onDay(day)) continue;
    for (const hour of hours) {
      const hourMs = day * dayMs + hour * 3_600_000;
      if (hourMs + 3_600_000 <= from || hourMs >= to) continue;
      for (const minute of minutes) {
        const minuteMs = hourMs + minute * 60_000;
        if (minuteMs + 60_000 <= from || minuteMs >= to) continue;
        for (const second of seconds) {
          const at = minuteMs + second * 1000;
          if (at >= from && at < to) yield at;
        }
      }
    }
  }
}
