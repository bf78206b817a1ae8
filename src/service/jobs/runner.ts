/**
 * Starts the runs of all jobs when they are due. Three things trigger a check: node-cron; a heartbeat, which finds runs
 * missed in a sleep of the machine or a step of its clock; and a timer for what node-cron does not cover: retries,
 * single times, and hours that the clocks repeat. A check decides from the database and records its decision in the
 * same transaction, so two checks start no run twice.
 */
import type { ClosedRun, JobRecord, RunRecord } from '../../store/jobs.ts';
import type { Holder } from '../../store/locks.ts';
import type { CronTask, JobClock } from './clock.ts';
import { type Decision, decideDue } from './decide.ts';
import { dueBetween } from './due.ts';
import { carryOut, closeDeadRuns, type FinishedRun, type RunParts, startByHand } from './run.ts';

/** A report for the log, the events and the metrics. */
export type RunnerReport =
  | { readonly kind: 'started'; readonly job: JobRecord; readonly run: RunRecord }
  | ({ readonly kind: 'finished' } & FinishedRun)
  /** `more`: whether there were more runs than are listed. */
  | {
      readonly kind: 'not-started';
      readonly job: JobRecord;
      readonly runs: readonly ClosedRun[];
      readonly more: boolean;
    }
  /** No run is due until the clock reaches `job.checkedAt` again. */
  | { readonly kind: 'clock-set-back'; readonly job: JobRecord; readonly nowMs: number };

export interface RunnerParts extends RunParts {
  readonly clock: JobClock;
  /** This process. */
  readonly holder: Holder;
  readonly isDead: (holder: Holder) => boolean;
  readonly report: (report: RunnerReport) => void;
  readonly heartbeatMs?: number;
}

export interface Runner {
  /** Checks all jobs now. Call it also after jobs were changed. */
  tick(): void;
  /** Starts a run now. Throws VnmError `conflict` if one is under way. */
  runNow(job: JobRecord): RunRecord;
  /** Waits for the runs under way to end. The signal must have aborted. */
  ended(): Promise<void>;
}

const defaultHeartbeatMs = 30_000;
/** The wait before a retry when the database cannot be read or written. */
const againMs = 1000;
/** The longest time between two writes to a job's record while no run is due. */
const staleMs = 3_600_000;
/** The smallest step back of the clock that is reported. */
const setBackMs = 60_000;

export function createRunner(parts: RunnerParts): Runner {
  const { store, clock, holder, signal } = parts;
  const heartbeatMs = parts.heartbeatMs ?? defaultHeartbeatMs;
  const cron = new Map<string, CronTask>();
  const running = new Set<Promise<void>>();
  const reportedClock = new Set<number>();
  let cancelTimer = () => {};

  /** Reports; an error of the listener must not stop a run that is already recorded. */
  function report(what: RunnerReport): void {
    try {
      parts.report(what);
    } catch (error) {
      parts.onError(error);
    }
  }

  function tick(): void {
    if (signal.aborted) return;
    let nextMs = heartbeatMs;
    try {
      for (const finished of closeDeadRuns(store, clock.now(), parts.isDead)) report({ kind: 'finished', ...finished });
      const jobs = store.jobs.list();
      followJobs(jobs);
      const changed = jobs.filter(check);
      nextMs = untilNext(changed.length === 0 ? jobs : store.jobs.list());
    } catch (error) {
      parts.onError(error);
      nextMs = againMs;
    }
    cancelTimer();
    cancelTimer = clock.after(nextMs, tick);
  }

  /** Keeps a node-cron task for each active job that has a pattern. */
  function followJobs(jobs: readonly JobRecord[]): void {
    const wanted = new Map(
      jobs.flatMap((job) =>
        job.state === 'active' && job.cron !== null ? [[keyOf(job), { ...job, cron: job.cron }]] : [],
      ),
    );
    for (const [key, task] of cron) {
      if (wanted.has(key)) continue;
      task.stop();
      cron.delete(key);
    }
    for (const [key, job] of wanted) if (!cron.has(key)) cron.set(key, clock.start(job, tick));
  }

  /** Starts and closes the due runs of a job. Returns whether there were any. */
  function check(seen: JobRecord): boolean {
    const nowMs = clock.now();
    reportClock(seen, nowMs);
    if (!isWorthWriting(seen, decideDue(seen, undefined, nowMs), nowMs)) return false;
    let decision: Decision | undefined;
    let job = seen;
    const written = store.jobs.advance(seen.id, holder, nowMs, (current, underWay) => {
      job = current;
      decision = decideDue(current, underWay, nowMs);
      return decision;
    });
    if (written === undefined || decision === undefined) return true;
    if (written.closed.length > 0) report({ kind: 'not-started', job, runs: written.closed, more: decision.more });
    if (written.started !== undefined) launch(job, written.started, decision.startByMs);
    return true;
  }

  function reportClock(job: JobRecord, nowMs: number): void {
    if (job.checkedAt - nowMs < setBackMs) reportedClock.delete(job.id);
    else if (job.state === 'active' && !reportedClock.has(job.id)) {
      reportedClock.add(job.id);
      report({ kind: 'clock-set-back', job, nowMs });
    }
  }

  function launch(job: JobRecord, run: RunRecord, startByMs: number): void {
    report({ kind: 'started', job, run });
    const work = carryOut(parts, job, run, startByMs)
      .then((finished) => {
        if (finished !== undefined) report({ kind: 'finished', ...finished });
      })
      .catch(parts.onError)
      .finally(() => {
        running.delete(work);
        // A retry may now be due before the next check.
        tick();
      });
    running.add(work);
  }

  /** Returns the time until the next check, not counting those that node-cron triggers. */
  function untilNext(jobs: readonly JobRecord[]): number {
    const nowMs = clock.now();
    const instants = jobs
      .filter(({ state }) => state === 'active')
      .flatMap((job) => [...(job.retry === null ? [] : [job.retry.at]), ...unknownToCron(job, nowMs)]);
    const soonest = Math.min(...instants.filter((at) => at > nowMs), nowMs + heartbeatMs);
    return Math.max(1, soonest - nowMs);
  }

  function unknownToCron(job: JobRecord, nowMs: number): number[] {
    const [next] = dueBetween(job, nowMs, nowMs + heartbeatMs);
    return next === undefined || cron.get(keyOf(job))?.next() === next ? [] : [next];
  }

  signal.addEventListener(
    'abort',
    () => {
      cancelTimer();
      for (const task of cron.values()) task.stop();
      cron.clear();
    },
    { once: true },
  );

  return {
    tick,
    runNow: (job) => {
      const nowMs = clock.now();
      const run = startByHand(store, job, holder, nowMs);
      launch(job, run, nowMs + job.latestStartMs);
      return run;
    },
    ended: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

function keyOf({ id, cron, timezone }: JobRecord): string {
  return JSON.stringify([id, cron, timezone]);
}

function isWorthWriting(job: JobRecord, { closed, start }: Decision, nowMs: number): boolean {
  if (job.state !== 'active') return false;
  return closed.length > 0 || start !== undefined || nowMs - job.checkedAt > staleMs;
}
