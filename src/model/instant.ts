/**
 * Formats an instant (Unix ms) for programs: ISO 8601 in UTC, like 2026-12-01T03:00:00.000Z, with microseconds if it
 * has any, like 2026-12-01T03:00:00.000125Z.
 */
export function isoInstant(unixMs: number): string {
  const us = Math.round(unixMs * 1000);
  const text = new Date(Math.floor(us / 1000)).toISOString();
  const rest = us - Math.floor(us / 1000) * 1000;
  return rest === 0 ? text : `${text.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

export function isoInstantOrNull(unixMs: number | null): string | null {
  return unixMs === null ? null : isoInstant(unixMs);
}
