/** A naive model of due times, independent of src/: walks through time and asks Intl what the clocks show. */

export interface NaivePattern {
  readonly seconds: ReadonlySet<number>;
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
}

const dayMs = 86_400_000;
/** Zones change their offset only at multiples of this. */
const offsetStepMs = 900_000;

/** Parses numbers, lists, ranges and steps. */
export function naivePattern(text: string): NaivePattern {
  const fields = text.split(' ');
  const [seconds, minutes, hours, days, months, weekdays] = fields.length === 5 ? ['0', ...fields] : fields;
  return {
    seconds: numbers(seconds!, 0, 59),
    minutes: numbers(minutes!, 0, 59),
    hours: numbers(hours!, 0, 23),
    days: numbers(days!, 1, 31),
    months: numbers(months!, 1, 12),
    weekdays: numbers(weekdays!, 0, 6),
  };
}

function numbers(field: string, lowest: number, highest: number): Set<number> {
  const found = new Set<number>();
  for (const part of field.split(',')) {
    const [range, step = '1'] = part.split('/');
    const [low, high = low] = range === '*' ? [lowest, highest] : range!.split('-').map(Number);
    for (let number = Number(low); number <= Number(high); number += Number(step)) found.add(number);
  }
  return found;
}

/** Returns the due times in (from, to], oldest first. */
export function naiveDue(pattern: NaivePattern, zone: string, from: number, to: number): number[] {
  const stepMs = pattern.seconds.size === 1 && pattern.seconds.has(0) ? 60_000 : 1000;
  const local = localClock(zone);
  const everyHour = pattern.hours.size === 24;
  const due: number[] = [];
  const start = Math.floor((from - dayMs) / stepMs) * stepMs;
  let highest = local(start - stepMs);
  for (let at = start; at <= to; at += stepMs) {
    const shown = local(at);
    const isNew = shown > highest;
    let isDue = matches(pattern, shown) && (everyHour || isNew);
    // The time that the clocks skip.
    if (!everyHour && isNew) {
      for (let skipped = highest + stepMs; skipped < shown; skipped += stepMs) isDue ||= matches(pattern, skipped);
    }
    if (isDue && at > from) due.push(at);
    highest = Math.max(highest, shown);
  }
  return due;
}

/** Returns the time that the zone's clocks show, as if it were UTC. */
function localClock(zone: string): (at: number) => number {
  const formatter = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  let known = { from: Number.NaN, offset: 0 };
  return (at) => {
    const from = Math.floor(at / offsetStepMs) * offsetStepMs;
    if (known.from !== from) {
      known = { from, offset: Date.parse(`${formatter.format(from).replace(' ', 'T')}Z`) - from };
    }
    return at + known.offset;
  };
}

function matches({ seconds, minutes, hours, days, months, weekdays }: NaivePattern, shown: number): boolean {
  const secondOfDay = Math.floor(shown / 1000) % 86_400;
  if (!seconds.has(secondOfDay % 60) || !minutes.has(Math.floor(secondOfDay / 60) % 60)) return false;
  if (!hours.has(Math.floor(secondOfDay / 3600))) return false;
  const date = new Date(shown);
  return days.has(date.getUTCDate()) && months.has(date.getUTCMonth() + 1) && weekdays.has(date.getUTCDay());
}
