/** Formats the health of a slice, as the service recorded it, for people. */
import type { SliceStatus } from '../controller/status.ts';
import type { HealthRecord } from '../store/health.ts';
import { toned } from './style.ts';

/** A service that has not reported for longer is not running; it reports every two seconds. */
const reportedWithinMs = 15_000;
const kinds = ['node', 'router', 'tunnel', 'path'] as const;

/** The count of what is up, and a line for each part that is not. */
export function healthLines({ watchedAt, health }: Pick<SliceStatus, 'watchedAt' | 'health'>, nowMs: number): string[] {
  if (watchedAt === null) return ['health: not monitored (run pl-vnm serve)'];
  const old =
    nowMs - watchedAt > reportedWithinMs
      ? ` as of ${new Date(watchedAt).toISOString()}, the service is not running`
      : '';
  const counts = kinds.flatMap((kind) => {
    const all = health.filter((record) => record.kind === kind);
    const up = all.filter(({ state }) => state === 'up').length;
    return all.length === 0 ? [] : [`${up}/${all.length} ${all.length === 1 ? kind : `${kind}s`}`];
  });
  return [
    `health${old}: ${counts.length === 0 ? 'not checked yet' : `up: ${counts.join(', ')}`}`,
    ...health.filter(({ state }) => state !== 'up').map((record) => `    ${toned('bad', describe(record, nowMs))}`),
  ];
}

function describe({ vn, kind, name, state, since, cause }: HealthRecord, nowMs: number): string {
  const what = vn === '' ? `${kind} ${name}` : `${kind} ${name} of VN '${vn}'`;
  return `${what}: ${state} for ${Math.max(0, Math.round((nowMs - since) / 1000))} s: ${cause}`;
}
