/** Formats instants for people. */

const units: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];
/** Made when it is first needed: it loads the languages' data, which every command would pay for. */
let relative: Intl.RelativeTimeFormat | undefined;

/** Formats an instant as `Mon, 7 Dec 2026, 03:00 CET`, with seconds unless they are 0. */
export function instantText(at: number, timezone: string): string {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    ...(at % 60_000 === 0 ? {} : { second: '2-digit' }),
    timeZoneName: 'short',
  }).format(at);
}

/** Formats a distance as `in 6 days`, in the largest unit of which it has two, so that rounding stays small. */
export function untilText(at: number, nowMs: number): string {
  const distanceMs = at - nowMs;
  const [unit, unitMs] = units.find(([, ms]) => Math.abs(distanceMs) >= 2 * ms) ?? units.at(-1)!;
  relative ??= new Intl.RelativeTimeFormat('en', { numeric: 'always' });
  return relative.format(Math.round(distanceMs / unitMs), unit);
}
