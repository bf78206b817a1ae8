/** Cron patterns of five fields, or six with seconds first; parsed by node-cron. */
import { createTask, validateDetailed } from 'node-cron';
import { VnmError } from '../../model/errors.ts';
import { dayMs } from './zone.ts';

export interface Pattern {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Whether the pattern names every hour. If so, it follows real time when clocks change. */
  readonly everyHour: boolean;
  /** Whether the pattern names a day, given in days since 1970-01-01 of the zone's calendar. */
  onDay(day: number): boolean;
}

const parsed = new Map<string, Pattern>();

/** Parses a pattern. Throws VnmError `invalid-input` that names the fault of each field. */
export function parsePattern(text: string): Pattern {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const pattern = read(text);
  parsed.set(text, pattern);
  return pattern;
}

function read(text: string): Pattern {
  const { fields, errors } = validateDetailed(text);
  if (fields === undefined || errors.length > 0) {
    const faults = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
    throw new VnmError('invalid-input', `invalid cron pattern '${text}': ${faults}`, {
      hint: 'give five fields (minute, hour, day of month, month, day of week), or six with seconds first, like "0 3 * * 1"',
    });
  }
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = fields;
  return {
    seconds: ascending(second),
    minutes: ascending(minute),
    hours: ascending(hour),
    everyHour: new Set(hour).size === 24,
    onDay: dayMatcher([dayOfMonth, month, dayOfWeek].map((values) => values.join(',')).join(' ')),
  };
}

function ascending(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

/** The most days for which a pattern caches whether it names them. */
const maxRemembered = 20_000;

/** Matches days with node-cron, which supports last days, nearest weekdays and the like. */
function dayMatcher(days: string): (day: number) => boolean {
  const task = createTask(`0 0 0 ${days}`, () => {}, { timezone: 'UTC' });
  // The task is never started; remove it from node-cron's list.
  void task.destroy();
  const known = new Map<number, boolean>();
  return (day) => {
    if (known.size > maxRemembered) known.clear();
    const matches = known.get(day) ?? task.match(new Date(day * dayMs));
    known.set(day, matches);
    return matches;
  };
}
