/** Timezones: how a zone's clocks differ from UTC, and when that changes. All times are Unix ms. */
import { VnmError } from '../../model/errors.ts';

/** At `at`, the zone's clocks change from `fromMs` to `toMs` ahead of UTC. */
export interface ClockChange {
  readonly at: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Zone {
  /** Returns how far its clocks are ahead of UTC: they show the UTC time `at + offsetMs(at)`. */
  offsetMs(at: number): number;
  /** Returns the changes in (from, to], oldest first. */
  changes(from: number, to: number): ClockChange[];
}

export const dayMs = 86_400_000;
const secondMs = 1000;
/** The most days that a zone caches. */
const maxRemembered = 2000;

const zones = new Map<string, Zone>();

/** Returns the name of this machine's timezone. */
export function localZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Finds a timezone by its name in the time zone database. Throws VnmError `invalid-input`. */
export function zoneOf(name: string): Zone {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const zone = createZone(formatterOf(name));
  zones.set(name, zone);
  return zone;
}

function formatterOf(name: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (error) {
    throw new VnmError('invalid-input', `invalid timezone '${name}'`, {
      hint: 'use a name like Europe/Paris, Asia/Tokyo or UTC',
      cause: error,
    });
  }
}

/** A day of UTC in a zone; no zone changes its clocks twice in a day. */
interface Day {
  /** The offset at the start of the day. */
  readonly offsetMs: number;
  readonly change: ClockChange | undefined;
}

function createZone(formatter: Intl.DateTimeFormat): Zone {
  const days = new Map<number, Day>();
  const ask = (at: number) => askOffsetMs(formatter, at);

  function dayOf(day: number): Day {
    const known = days.get(day);
    if (known !== undefined) return known;
    if (days.size >= maxRemembered) days.clear();
    const start = day * dayMs;
    const found = { offsetMs: ask(start), change: findChange(ask, start, start + dayMs) };
    days.set(day, found);
    return found;
  }

  function offsetMs(at: number): number {
    const { offsetMs: atStart, change } = dayOf(Math.floor(at / dayMs));
    return change !== undefined && at >= change.at ? change.toMs : atStart;
  }

  function changes(from: number, to: number): ClockChange[] {
    const found: ClockChange[] = [];
    for (let day = Math.floor(from / dayMs); day * dayMs <= to; day += 1) {
      const { change } = dayOf(day);
      if (change !== undefined && change.at > from && change.at <= to) found.push(change);
    }
    return found;
  }

  return { offsetMs, changes };
}

/** Gets the offset at an instant from Intl. */
function askOffsetMs(formatter: Intl.DateTimeFormat, at: number): number {
  const wholeMs = Math.floor(at / secondMs) * secondMs;
  const parts = formatter.formatToParts(wholeMs);
  const value = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  const shown = Date.UTC(
    value('year'),
    value('month') - 1,
    value('day'),
    value('hour'),
    value('minute'),
    value('second'),
  );
  return shown - wholeMs;
}

/** Finds the change in [start, end), to the second. */
function findChange(ask: (at: number) => number, start: number, end: number): ClockChange | undefined {
  const fromMs = ask(start - secondMs);
  const toMs = ask(end - secondMs);
  if (fromMs === toMs) return undefined;
  let [before, after] = [start - secondMs, end - secondMs];
  while (after - before > secondMs) {
    const middle = before + Math.floor((after - before) / 2 / secondMs) * secondMs;
    if (ask(middle) === fromMs) before = middle;
    else after = middle;
  }
  return { at: after, fromMs, toMs };
}
