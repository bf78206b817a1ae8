/** Jobs and their runs as plain JSON for `--json` and the HTTP API. Instants are ISO 8601 in UTC. */
import type { MigrationOptions } from '../../controller/migration/options.ts';
import { isoInstant, isoInstantOrNull } from '../../model/instant.ts';
import type { JobRecord, RunRecord } from '../../store/jobs.ts';
import type { Store } from '../../store/store.ts';
import { nextDue } from './due.ts';
import { instantText, untilText } from './words.ts';

export interface RunView {
  readonly dueAt: string;
  /** From 1; 0 for a run started by hand. */
  readonly attempt: number;
  /** A node if the job moves one router. */
  readonly placement: string | null;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly outcome: string | null;
  /** The id of its migration. */
  readonly migration: number | null;
  readonly message: string | null;
}

export type JobView = Readonly<ReturnType<typeof jobView>>;

const shownRuns = 3;

/** Returns a job with its next runs and its last run. */
export function jobView(store: Store, job: JobRecord, nowMs: number) {
  const next = job.state === 'active' ? nextDue(job, Math.max(nowMs, job.checkedAt), shownRuns) : [];
  const { name, slice, vn, router, placements, cron, timezone, missed, retries, retryWaitMs } = job;
  const { latestStartMs, state, reason } = job;
  const [last] = store.jobs.runs(job.id, 1);
  return {
    name,
    slice,
    vn,
    router,
    to: placements,
    cron,
    at: isoInstantOrNull(job.at),
    timezone,
    options: JSON.parse(job.options) as MigrationOptions,
    missed,
    retries,
    retryWaitMs,
    latestStartMs,
    state,
    reason,
    createdAt: isoInstant(job.createdAt),
    nextRuns: next.map((at) => ({
      at: isoInstant(at),
      words: `${instantText(at, timezone)} (${untilText(at, nowMs)})`,
    })),
    retry:
      job.retry === null
        ? null
        : { dueAt: isoInstant(job.retry.dueAt), attempt: job.retry.attempt, at: isoInstant(job.retry.at) },
    lastRun: last === undefined ? null : runView(last),
  };
}

export function runView({
  dueAt,
  attempt,
  placement,
  startedAt,
  finishedAt,
  outcome,
  migrationId,
  message,
}: RunRecord): RunView {
  return {
    dueAt: isoInstant(dueAt),
    attempt,
    placement,
    startedAt: isoInstantOrNull(startedAt),
    finishedAt: isoInstantOrNull(finishedAt),
    outcome,
    migration: migrationId,
    message,
  };
}
