import type { Statement } from 'better-sqlite3';
import { VnmError } from '../model/errors.ts';
import type { RouterName } from '../model/names.ts';
import type { Db } from './db.ts';
import type { Holder } from './locks.ts';

export type MissedPolicy = 'skip' | 'once';
type JobState = 'active' | 'paused' | 'done';
/**
 * `unchanged`: the VN was already there. `missed`: no service ran at the due time. `skipped`: the run could not start.
 */
export const runOutcomes = ['completed', 'unchanged', 'rolled-back', 'failed', 'skipped', 'missed'] as const;
export type RunOutcome = (typeof runOutcomes)[number];

/** What a job does and when; times are Unix ms. */
export interface NewJob {
  readonly name: string;
  readonly slice: string;
  readonly vn: string;
  /** The only router to move; null: all. */
  readonly router: RouterName | null;
  /** The placements to move to, in turn; with `router`, the nodes. */
  readonly placements: readonly string[];
  /** A pattern, or null for a job that is due once, `at`. */
  readonly cron: string | null;
  readonly at: number | null;
  readonly timezone: string;
  /** The migration's options as JSON, without the placement. */
  readonly options: string;
  readonly missed: MissedPolicy;
  readonly retries: number;
  /** The wait before the first retry. */
  readonly retryWaitMs: number;
  /** How long after its due time a run may still start. */
  readonly latestStartMs: number;
}

/** A run to retry, and the earliest time for it. */
export interface Retry extends DueRun {
  readonly at: number;
}

export interface JobRecord extends NewJob {
  readonly id: number;
  readonly state: JobState;
  /** Why the job is paused, or done without a run. */
  readonly reason: string | null;
  readonly createdAt: number;
  /** All runs that were due until then are recorded. */
  readonly checkedAt: number;
  readonly retry: Retry | null;
}

export interface RunRecord {
  readonly id: number;
  readonly jobId: number;
  readonly dueAt: number;
  /** From 1; 0: started by hand. */
  readonly attempt: number;
  /** Null until it is chosen; a node if the job moves one router. */
  readonly placement: string | null;
  /** Null if it did not start, or not yet. */
  readonly startedAt: number | null;
  /** Null while it is running. */
  readonly finishedAt: number | null;
  readonly outcome: RunOutcome | null;
  readonly migrationId: number | null;
  readonly message: string | null;
  /** The process that runs it. */
  readonly holder: Holder | null;
}

/** Identifies a run by its due time and attempt. */
export interface DueRun {
  readonly dueAt: number;
  readonly attempt: number;
}

/** A run that did not start. */
export interface ClosedRun extends DueRun {
  readonly outcome: 'skipped' | 'missed';
  readonly message: string;
}

/** The changes to a job. */
export interface JobChange {
  readonly state?: JobState;
  readonly reason?: string | null;
  readonly checkedAt?: number;
  readonly retry?: Retry | null;
}

/** The changes and runs of a job to record in one transaction. */
export interface JobStep {
  readonly change: JobChange;
  readonly closed: readonly ClosedRun[];
  readonly start?: DueRun | undefined;
}

/** How a run ended. */
interface RunEnd {
  readonly outcome: RunOutcome;
  readonly finishedAt: number;
  readonly message: string | null;
  readonly migrationId: number | null;
}

export interface JobStore {
  /** Throws VnmError `conflict` if the name is taken. */
  add(job: NewJob, now: number): JobRecord;
  find(name: string): JobRecord | undefined;
  /** All jobs, sorted by name. */
  list(): JobRecord[];
  /** Removes a job and its runs. */
  remove(id: number): void;
  change(id: number, change: JobChange): void;
  /**
   * Records what `decide` returns for the current job, in one transaction. Returns what was recorded: a run that is
   * already recorded is neither recorded again nor started. Returns undefined if the job no longer exists.
   */
  advance(
    id: number,
    holder: Holder,
    now: number,
    decide: (job: JobRecord, underWay: RunRecord | undefined) => JobStep,
  ): { closed: readonly ClosedRun[]; started: RunRecord | undefined } | undefined;
  /** Starts a run by hand. Returns the current run instead if there is one. */
  startByHand(id: number, holder: Holder, now: number): { started: RunRecord } | { underWay: RunRecord };
  /** Records the chosen placement, and that the migration begins. */
  begin(runId: number, placement: string, now: number): void;
  /**
   * Ends a run, and changes its job by what `decide` returns for the current job and the number of failed attempts of
   * the run, including this one. Returns the changed job; undefined if the run has already ended or no longer exists.
   */
  finish(
    runId: number,
    end: RunEnd,
    decide: (job: JobRecord, run: RunRecord, failures: number) => JobChange,
  ): { job: JobRecord; run: RunRecord } | undefined;
  /** Newest first. */
  runs(jobId: number, limit: number): RunRecord[];
  underWay(): RunRecord[];
}

/** The message of a run that was stopped with the service, which is not a failure of the job. */
export const interruptedMessage = 'the service ended';

interface JobRow extends Omit<JobRecord, 'placements' | 'retry'> {
  readonly placements: string;
  readonly retryDueAt: number | null;
  readonly retryAttempt: number | null;
  readonly retryAt: number | null;
}

interface RunRow extends Omit<RunRecord, 'holder'> {
  readonly host: string | null;
  readonly boot: string | null;
  readonly pid: number | null;
  readonly processStart: string | null;
}

const selectJobs = `select id, name, slice, vn, router, placements, cron, at, timezone, options, missed, retries, retry_wait_ms as retryWaitMs,
  latest_start_ms as latestStartMs, state, reason, created_at as createdAt, checked_at as checkedAt, retry_due_at as retryDueAt,
  retry_attempt as retryAttempt, retry_at as retryAt from jobs`;
const selectRuns = `select id, job_id as jobId, due_at as dueAt, attempt, placement, started_at as startedAt,
  finished_at as finishedAt, outcome, migration_id as migrationId, message, host, boot, pid, process_start as processStart
  from job_runs`;

export function jobStore(db: Db): JobStore {
  const prepare = preparing(db);
  const jobs = (where: string, ...values: unknown[]) =>
    prepare<unknown[], JobRow>(`${selectJobs} ${where}`)
      .all(...values)
      .map(jobOf);
  const runs = (where: string, ...values: unknown[]) =>
    prepare<unknown[], RunRow>(`${selectRuns} ${where}`)
      .all(...values)
      .map(runOf);
  const underWayOf = (jobId: number) => runs('where job_id = ? and finished_at is null', jobId)[0];

  function change(id: number, { state, reason, checkedAt, retry }: JobChange): void {
    if (state !== undefined) prepare('update jobs set state = ? where id = ?').run(state, id);
    if (reason !== undefined) prepare('update jobs set reason = ? where id = ?').run(reason, id);
    if (checkedAt !== undefined) prepare('update jobs set checked_at = ? where id = ?').run(checkedAt, id);
    if (retry === undefined) return;
    prepare('update jobs set retry_due_at = ?, retry_attempt = ?, retry_at = ? where id = ?').run(
      retry?.dueAt ?? null,
      retry?.attempt ?? null,
      retry?.at ?? null,
      id,
    );
  }

  /** Inserts a run. A retry keeps its placement, even if others have moved the VN meanwhile. */
  function insertStarted(
    jobId: number,
    { dueAt, attempt }: DueRun,
    { host, boot, pid, processStart }: Holder,
  ): RunRecord | undefined {
    const id = prepare<unknown[], number>(
      `insert into job_runs (job_id, due_at, attempt, placement, host, boot, pid, process_start)
         values (?, ?, ?, (select placement from job_runs where job_id = ? and due_at = ? and attempt > 0 and attempt < ?
           and placement is not null order by attempt desc limit 1), ?, ?, ?, ?) on conflict do nothing returning id`,
    )
      .pluck()
      .get(jobId, dueAt, attempt, jobId, dueAt, attempt, host, boot, pid, processStart);
    return id === undefined ? undefined : runs('where id = ?', id)[0];
  }

  return {
    add: (job, now) =>
      db
        .transaction(() => {
          if (jobs('where name = ?', job.name).length > 0) {
            throw new VnmError('conflict', `job '${job.name}' already exists`, {
              hint: `choose another name, or run 'pl-vnm job remove ${job.name}' first`,
            });
          }
          return insertJob(prepare, job, now);
        })
        .immediate(),
    find: (name) => jobs('where name = ?', name)[0],
    list: () => jobs('order by name'),
    remove: (id) => {
      prepare('delete from jobs where id = ?').run(id);
    },
    change: (id, changed) => {
      db.transaction(() => change(id, changed)).immediate();
    },
    advance: (id, holder, now, decide) =>
      db
        .transaction(() => {
          const [job] = jobs('where id = ?', id);
          if (job === undefined) return undefined;
          const step = decide(job, underWayOf(id));
          const insert = prepare(
            `insert into job_runs (job_id, due_at, attempt, outcome, message, finished_at) values (?, ?, ?, ?, ?, ?)
             on conflict do nothing`,
          );
          const closed = step.closed.filter(
            ({ dueAt, attempt, outcome, message }) => insert.run(id, dueAt, attempt, outcome, message, now).changes > 0,
          );
          const started = step.start && insertStarted(id, step.start, holder);
          change(id, step.change);
          return { closed, started };
        })
        .immediate(),
    startByHand: (id, holder, now) =>
      db
        .transaction(() => {
          const underWay = underWayOf(id);
          if (underWay !== undefined) return { underWay };
          return { started: insertStarted(id, { dueAt: now, attempt: 0 }, holder)! };
        })
        .immediate(),
    begin: (runId, placement, now) => {
      prepare('update job_runs set placement = ?, started_at = ? where id = ?').run(placement, now, runId);
    },
    finish: (runId, end, decide) =>
      db
        .transaction(() => {
          const ended = prepare(
            `update job_runs set outcome = ?, finished_at = ?, message = ?, migration_id = ?,
                 started_at = iif(? = 'skipped', null, started_at) where id = ? and finished_at is null`,
          ).run(end.outcome, end.finishedAt, end.message, end.migrationId, end.outcome, runId);
          if (ended.changes === 0) return undefined;
          const [run] = runs('where id = ?', runId);
          const job = jobs('where id = ?', run!.jobId)[0]!;
          change(job.id, decide(job, run!, failuresOf(prepare, run!)));
          return { job: jobs('where id = ?', job.id)[0]!, run: run! };
        })
        .immediate(),
    runs: (jobId, limit) => runs('where job_id = ? order by id desc limit ?', jobId, limit),
    underWay: () => runs('where finished_at is null'),
  };
}

type Prepare = <P extends unknown[] = unknown[], R = unknown>(sql: string) => Statement<P, R>;

/** Compiles each statement once, because the service runs the same ones all the time. */
function preparing(db: Db): Prepare {
  const known = new Map<string, Statement>();
  return <P extends unknown[], R>(sql: string) => {
    const statement = known.get(sql) ?? db.prepare(sql);
    known.set(sql, statement);
    return statement as unknown as Statement<P, R>;
  };
}

/** The number of attempts of the same due run that failed; attempts that ended with the service do not count. */
function failuresOf(prepare: Prepare, { jobId, dueAt }: RunRecord): number {
  return prepare<unknown[], number>(
    `select count(*) from job_runs where job_id = ? and due_at = ? and attempt > 0
         and outcome in ('failed', 'rolled-back') and message is not ?`,
  )
    .pluck()
    .get(jobId, dueAt, interruptedMessage)!;
}

function insertJob(prepare: Prepare, job: NewJob, now: number): JobRecord {
  const { name, slice, vn, router, placements, cron, at, timezone, options, missed } = job;
  const id = prepare<unknown[], number>(
    `insert into jobs (name, slice, vn, router, placements, cron, at, timezone, options, missed, retries, retry_wait_ms,
         latest_start_ms, state, created_at, checked_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?) returning id`,
  )
    .pluck()
    .get(
      ...[name, slice, vn, router, JSON.stringify(placements), cron, at, timezone, options, missed],
      ...[job.retries, job.retryWaitMs, job.latestStartMs, now, now],
    )!;
  return { ...job, id, state: 'active', reason: null, createdAt: now, checkedAt: now, retry: null };
}

function jobOf({ placements, retryDueAt, retryAttempt, retryAt, ...row }: JobRow): JobRecord {
  const retry = retryAt === null ? null : { dueAt: retryDueAt!, attempt: retryAttempt!, at: retryAt };
  return { ...row, placements: JSON.parse(placements) as string[], retry };
}

function runOf({ host, boot, pid, processStart, ...row }: RunRow): RunRecord {
  const holder = host === null ? null : { host, boot: boot!, pid: pid!, processStart: processStart! };
  return { ...row, holder };
}
