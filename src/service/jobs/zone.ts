/** Timezones, as far as jobs need them: how a zone's clocks differ from UTC, and when that changes. All times are Unix ms. */
import { VnmError } from '../../model/errors.ts';

/** From `at` on the zone's clocks are `toMs` ahead of UTC; before, they were `fromMs`. */
export interface ClockChange {
  readonly at: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Zone {
  /** How far its clocks are ahead of UTC; their time read as if it were UTC is `at + offsetMs(at)`. */
  offsetMs(at: number): number;
  /** Those in (from, to], oldest first. */
  changes(from: number, to: number): ClockChange[];
}

export const dayMs = 86_400_000;
const secondMs = 1000;
/** Days of which a zone remembers whether its clocks change. */
const maxRemembered = 2000;

const zones = new Map<string, Zone>();

/** The one of this machine. */
export function localZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** By its name in the time zone database. Throws VnmError `invalid-input`. */
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
    throw new VnmError('invalid-input', `'${name}' is not a timezone`, {
      hint: 'take a name like Europe/Paris, Asia/Tokyo or UTC',
      cause: error,
    });
  }
}

/** What the clocks do in a day of UTC; no zone's are changed twice in one. */
interface Day {
  /** At its beginning. */
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

/** What Intl says of an instant. */
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

/** The change in [start, end), to the second. */
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
