/**
 * Computes when the runs of a job are due. All times are Unix ms.
 *
 * node-cron's own `getNextRuns` omits runs in an hour that the clocks skip, and most runs in an hour that they repeat.
 * So this module maps the pattern to real time itself. When the clocks are
 * - put forward, runs in the skipped hour are due once, right after the change;
 * - put back, runs in the repeated hour are due the first time only.
 * A pattern for every hour is due whenever the clocks show a time that it names, so it continues as if nothing had
 * changed.
 */
import { type Pattern, parsePattern } from './pattern.ts';
import { type ClockChange, dayMs, type Zone, zoneOf } from './zone.ts';

/** Either `cron` is set, or `at`. */
export interface Timing {
  readonly cron: string | null;
  readonly at: number | null;
  readonly timezone: string;
}

/** A period [start, end) in which the zone's clocks do not change; `change` is the change at its start. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly offsetMs: number;
  readonly change?: ClockChange;
}

/** The longest gap of any pattern: 29 February on a given weekday, across a century without a leap day. */
const furthestDays = 41 * 366;
/** The largest change of clocks. */
const largestChangeMs = dayMs;

/** Returns the due times in (from, to], oldest first. */
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

/** Returns the newest due times in (from, to], at most `limit`, oldest first; and whether there are older ones. */
export function newestDue(timing: Timing, from: number, to: number, limit: number): { due: number[]; more: boolean } {
  let due: number[] = [];
  for (let end = to; end > from; end -= dayMs) {
    due = [...dueBetween(timing, Math.max(from, end - dayMs), end), ...due];
    if (due.length > limit) return { due: due.slice(-limit), more: true };
  }
  return { due, more: false };
}

/** Returns the next `count` due times after an instant, or fewer if there are no more. */
export function nextDue(timing: Timing, after: number, count: number): number[] {
  if (timing.at !== null) return dueBetween(timing, after, Number.MAX_SAFE_INTEGER);
  const due: number[] = [];
  for (let day = 0; day < furthestDays && due.length < count; day += 1) {
    const from = after + day * dayMs;
    due.push(...dueBetween(timing, from, from + dayMs));
  }
  return due.slice(0, count);
}

/** Whether the pattern names a day near (from, to]. A zone's clocks may differ from UTC by a day, and skip a day. */
function mayBeOn(pattern: Pattern, from: number, to: number): boolean {
  const last = Math.floor(to / dayMs) + 1;
  for (let day = Math.floor(from / dayMs) - 2; day <= last; day += 1) if (pattern.onDay(day)) return true;
  return false;
}

/** Returns the periods between changes, from a day before `from`, since a repeated hour may last until then. */
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

/** Yields the times in [from, to) that a pattern names, by clocks that never change. */
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
