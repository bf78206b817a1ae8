/** Decides which runs of a job start, are missed or are skipped, and what follows the end of a run. Pure. */
import type {
  ClosedRun,
  DueRun,
  JobChange,
  JobRecord,
  JobStep,
  MissedPolicy,
  Retry,
  RunOutcome,
  RunRecord,
} from '../../store/jobs.ts';
import { newestDue } from './due.ts';

/** The longest wait before a retry. */
const maxRetryWaitMs = 3_600_000;
/** If more runs became due at once, only this many, the newest, are recorded. */
const maxWritten = 1000;

/** The changes to record, and what else `decideDue` has decided. */
export interface Decision extends JobStep {
  /** The latest start of the run to start. */
  readonly startByMs: number;
  /** Whether more runs became due than are recorded. */
  readonly more: boolean;
}

/** Returns the placement after the current one in the list, or the first. */
export function nextTarget(placements: readonly string[], current: string | undefined): string {
  const index = current === undefined ? -1 : placements.indexOf(current);
  return placements[(index + 1) % placements.length]!;
}

/** Returns the wait before the retry after that many failures: it doubles each time. */
function retryWaitMs(firstMs: number, failures: number): number {
  return Math.min(firstMs * 2 ** (failures - 1), maxRetryWaitMs);
}

/**
 * Decides about all runs that became due since the job was last checked. Starts at most one run, and none while a run
 * is under way or waits for a retry; runs that are due meanwhile are skipped.
 */
export function decideDue(job: JobRecord, underWay: RunRecord | undefined, nowMs: number): Decision {
  const nothing = { change: {}, closed: [], startByMs: nowMs, more: false };
  if (job.state !== 'active') return nothing;
  const { due, more } = newestDue(job, job.checkedAt, nowMs, maxWritten);
  const retried = underWay === undefined ? decideRetry(job, nowMs) : { waits: job.retry };
  const checkedAt = Math.max(job.checkedAt, nowMs);
  const busy = whyBusy(underWay, retried);
  const { closed, start } = busy === undefined ? choose(job, due, nowMs) : { closed: skip(job, due, nowMs, busy) };
  const chosen = retried.start ?? start;
  return {
    change: { checkedAt, retry: retried.waits ?? null, ...doneAfter(job, closed, chosen !== undefined, retried) },
    closed: [...(retried.missed === undefined ? [] : [retried.missed]), ...closed],
    start: chosen,
    startByMs: chosen === undefined ? nowMs : startByOf(job, retried.start ? job.retry!.at : chosen.dueAt, nowMs),
    more,
  };
}

interface RetryDecision {
  /** The retry, if it is not due yet. */
  readonly waits?: Retry | null | undefined;
  readonly start?: DueRun;
  readonly missed?: ClosedRun;
}

function decideRetry(job: JobRecord, nowMs: number): RetryDecision {
  const { retry } = job;
  if (retry === null) return {};
  // A retry that is later than any wait allows is due as well: the clock was set back.
  const isDue = nowMs >= retry.at || retry.at - nowMs > maxRetryWaitMs;
  if (!isDue) return { waits: retry };
  const { dueAt, attempt } = retry;
  if (job.missed === 'skip' && isLate(job, retry.at, nowMs))
    return { missed: { dueAt, attempt, outcome: 'missed', message: missedMessage(nowMs) } };
  return { start: { dueAt, attempt } };
}

function whyBusy(underWay: RunRecord | undefined, { waits, start }: RetryDecision): string | undefined {
  if (underWay !== undefined) return `${describeRun(underWay)} was still under way`;
  if (start !== undefined) return `${describeRun(start)} starts now`;
  return waits ? `${describeRun(waits)} was still pending` : undefined;
}

/** Chooses the newest run if it can start in time, or in any case with the policy `once`. The others are missed. */
function choose({ missed, latestStartMs }: JobRecord, due: readonly number[], nowMs: number) {
  const newest = due.at(-1);
  const isChosen = newest !== undefined && (missed === 'once' || nowMs - newest <= latestStartMs);
  const others = isChosen ? due.slice(0, -1) : due;
  const message = isChosen
    ? `${missedMessage(nowMs)}; the run due at ${iso(newest)} starts instead`
    : missedMessage(nowMs);
  return {
    closed: others.map((dueAt): ClosedRun => ({ dueAt, attempt: 1, outcome: 'missed', message })),
    ...(isChosen ? { start: { dueAt: newest, attempt: 1 } } : {}),
  };
}

function skip(job: JobRecord, due: readonly number[], nowMs: number, reason: string): ClosedRun[] {
  return due.map((dueAt) =>
    isLate(job, dueAt, nowMs)
      ? { dueAt, attempt: 1, outcome: 'missed', message: missedMessage(nowMs) }
      : { dueAt, attempt: 1, outcome: 'skipped', message: reason },
  );
}

/** Ends a job for a single time when its run can no longer start. */
function doneAfter(job: JobRecord, closed: readonly ClosedRun[], starts: boolean, retried: RetryDecision): JobChange {
  const last = retried.missed ?? closed.at(-1);
  if (job.cron !== null || starts || last === undefined || retried.waits) return {};
  return { state: 'done', reason: `${last.outcome}: ${last.message}` };
}

function isLate({ latestStartMs }: { latestStartMs: number }, dueAt: number, nowMs: number): boolean {
  return nowMs - dueAt > latestStartMs;
}

/** Returns the latest start of a run. For a late run, the time allowed for its start begins now. */
function startByOf(job: { missed: MissedPolicy; latestStartMs: number }, dueAt: number, nowMs: number): number {
  return (isLate(job, dueAt, nowMs) ? nowMs : Math.min(dueAt, nowMs)) + job.latestStartMs;
}

/** Decides what follows the end of a run; `failures` is the number of failed attempts of the due run, with this one. */
export function decideAfter(
  job: JobRecord,
  run: Pick<RunRecord, 'dueAt' | 'attempt' | 'message'>,
  { outcome, interrupted }: { outcome: RunOutcome; interrupted: boolean },
  failures: number,
  nowMs: number,
): JobChange {
  // The run was started by hand, or the job was paused meanwhile.
  if (run.attempt === 0 || job.state !== 'active') return {};
  const { dueAt } = run;
  const attempt = run.attempt + 1;
  if (interrupted) return { retry: { dueAt, attempt, at: nowMs } };
  if (outcome !== 'failed' && outcome !== 'rolled-back') {
    if (job.cron !== null) return { retry: null };
    return { retry: null, state: 'done', reason: outcome === 'skipped' ? `skipped: ${run.message}` : null };
  }
  if (failures > job.retries) {
    const times = failures === 1 ? 'the run failed' : `${failures} attempts failed, the last`;
    return { retry: null, state: 'paused', reason: `${times}: ${run.message}` };
  }
  return { retry: { dueAt, attempt, at: nowMs + retryWaitMs(job.retryWaitMs, failures) } };
}

export function describeRun({ dueAt, attempt }: Pick<RunRecord, 'dueAt' | 'attempt'>): string {
  if (attempt === 0) return `the run started by hand at ${iso(dueAt)}`;
  return attempt === 1 ? `the run due at ${iso(dueAt)}` : `attempt ${attempt} of the run due at ${iso(dueAt)}`;
}

function missedMessage(nowMs: number): string {
  return `the jobs were not checked until ${iso(nowMs)}: no service was running, or the clock was set`;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
