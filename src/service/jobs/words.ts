/** Instants as people say them. */

const units: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always' });

/** `Mon, 7 Dec 2026, 03:00 CET`, with seconds where there are any. */
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

/** `in 6 days`, `in 40 seconds`; in the largest unit of which there are two, so that it is not off by half. */
export function untilText(at: number, nowMs: number): string {
  const distanceMs = at - nowMs;
  const [unit, unitMs] = units.find(([, ms]) => Math.abs(distanceMs) >= 2 * ms) ?? units.at(-1)!;
  return relative.format(Math.round(distanceMs / unitMs), unit);
}
