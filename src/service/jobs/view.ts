/** Jobs and their runs as plain JSON, for `--json` and the HTTP API; instants are ISO 8601 in UTC. */
import type { MigrateOptions } from '../../controller/migrate.ts';
import type { JobRecord, RunRecord } from '../../store/jobs.ts';
import type { Store } from '../../store/store.ts';
import { nextDue } from './due.ts';
import { instantText, untilText } from './words.ts';

export interface RunView {
  readonly dueAt: string;
  /** From 1; 0: by hand. */
  readonly attempt: number;
  readonly placement: string | null;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly outcome: string | null;
  /** Its id. */
  readonly migration: number | null;
  readonly message: string | null;
}

export type JobView = Readonly<ReturnType<typeof jobView>>;

const shownRuns = 3;

/** A job as it is, its next runs and its last one. */
export function jobView(store: Store, job: JobRecord, nowMs: number) {
  const next = job.state === 'active' ? nextDue(job, Math.max(nowMs, job.checkedAt), shownRuns) : [];
  const { name, slice, vn, placements, cron, timezone, missed, retries, retryWaitMs, latestStartMs, state, reason } =
    job;
  const [last] = store.jobs.runs(job.id, 1);
  return {
    name,
    slice,
    vn,
    to: placements,
    cron,
    at: isoOrNull(job.at),
    timezone,
    options: JSON.parse(job.options) as Omit<MigrateOptions, 'to'>,
    missed,
    retries,
    retryWaitMs,
    latestStartMs,
    state,
    reason,
    createdAt: iso(job.createdAt),
    nextRuns: next.map((at) => ({ at: iso(at), words: `${instantText(at, timezone)} (${untilText(at, nowMs)})` })),
    retry:
      job.retry === null ? null : { dueAt: iso(job.retry.dueAt), attempt: job.retry.attempt, at: iso(job.retry.at) },
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
    dueAt: iso(dueAt),
    attempt,
    placement,
    startedAt: isoOrNull(startedAt),
    finishedAt: isoOrNull(finishedAt),
    outcome,
    migration: migrationId,
    message,
  };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

function isoOrNull(at: number | null): string | null {
  return at === null ? null : iso(at);
}
