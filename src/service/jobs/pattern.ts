/** Cron patterns, which node-cron reads: five fields, or six with seconds first. */
import { createTask, validateDetailed } from 'node-cron';
import { VnmError } from '../../model/errors.ts';
import { dayMs } from './zone.ts';

export interface Pattern {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Whether it is for every hour: then it follows real time when clocks are changed. */
  readonly everyHour: boolean;
  /** `day`: days since 1970-01-01, of the calendar that the zone shows. */
  onDay(day: number): boolean;
}

const parsed = new Map<string, Pattern>();

/** Throws VnmError `invalid-input` that says what is wrong with each field. */
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
    throw new VnmError('invalid-input', `'${text}' is not a cron pattern: ${faults}`, {
      hint: 'five fields (minute, hour, day of month, month, day of week), or six with seconds first, like "0 3 * * 1"',
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

/** Days of which a pattern remembers whether it is for them. */
const maxRemembered = 20_000;

/** By node-cron, which knows last days, nearest weekdays and the like. */
function dayMatcher(days: string): (day: number) => boolean {
  const task = createTask(`0 0 0 ${days}`, () => {}, { timezone: 'UTC' });
  // Never started; it would stay in node-cron's list.
  void task.destroy();
  const known = new Map<number, boolean>();
  return (day) => {
    if (known.size > maxRemembered) known.clear();
    const matches = known.get(day) ?? task.match(new Date(day * dayMs));
    known.set(day, matches);
    return matches;
  };
}
