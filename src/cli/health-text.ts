/** What the service knows of the health of a slice, for people. */
import type { SliceStatus } from '../controller/status.ts';
import type { HealthRecord } from '../store/health.ts';

/** It says that it lives every two seconds. */
const livesMs = 15_000;
const kinds = ['node', 'router', 'tunnel', 'path'] as const;

/** How many are up, and a line for each that is not. */
export function healthLines({ watchedAt, health }: Pick<SliceStatus, 'watchedAt' | 'health'>, nowMs: number): string[] {
  if (watchedAt === null) return ['health: not monitored (run pl-vnm serve)'];
  const old =
    nowMs - watchedAt > livesMs ? ` as of ${new Date(watchedAt).toISOString()}, the service is not running` : '';
  const counts = kinds.flatMap((kind) => {
    const all = health.filter((record) => record.kind === kind);
    const up = all.filter(({ state }) => state === 'up').length;
    return all.length === 0 ? [] : [`${up}/${all.length} ${all.length === 1 ? kind : `${kind}s`}`];
  });
  return [
    `health${old}: ${counts.length === 0 ? 'not looked at yet' : `up: ${counts.join(', ')}`}`,
    ...health.filter(({ state }) => state !== 'up').map((record) => `    ${describe(record, nowMs)}`),
  ];
}

function describe({ vn, kind, name, state, since, cause }: HealthRecord, nowMs: number): string {
  const what = vn === '' ? `${kind} ${name}` : `${kind} ${name} of VN '${vn}'`;
  return `${what}: ${state} for ${Math.max(0, Math.round((nowMs - since) / 1000))} s: ${cause}`;
}
