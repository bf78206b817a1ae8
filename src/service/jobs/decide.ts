/** What becomes of a job: which of its runs start, are missed or skipped, and what follows from how one ended. Nothing here acts. */
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

/** Longest wait before a retry. */
const maxRetryWaitMs = 3_600_000;
/** Of more runs that became due at once only the newest are written down one by one. */
const maxWritten = 1000;

/** What `decideDue` answers next to what is written. */
export interface Decision extends JobStep {
  /** The run that starts must have started by then. */
  readonly startByMs: number;
  /** More became due than is written down one by one. */
  readonly more: boolean;
}

/** The one after the current in the list, else the first. */
export function nextTarget(placements: readonly string[], current: string | undefined): string {
  const index = current === undefined ? -1 : placements.indexOf(current);
  return placements[(index + 1) % placements.length]!;
}

/** Before the retry after so many failures: twice as long each time. */
function retryWaitMs(firstMs: number, failures: number): number {
  return Math.min(firstMs * 2 ** (failures - 1), maxRetryWaitMs);
}

/**
 * What a job does now about all that became due since it was last looked at. At most one run starts; a job of which one is under
 * way or waits to be tried again starts none, and what is due meanwhile is skipped.
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
  /** It is not time yet. */
  readonly waits?: Retry | null | undefined;
  readonly start?: DueRun;
  readonly missed?: ClosedRun;
}

function decideRetry(job: JobRecord, nowMs: number): RetryDecision {
  const { retry } = job;
  if (retry === null) return {};
  // Farther away than any wait: the clock was set back meanwhile.
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
  return waits ? `${describeRun(waits)} was still to come` : undefined;
}

/** The newest that can start in time, or with policy `once` the newest of all. */
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

/** A job for one time is done when its run will not come any more. */
function doneAfter(job: JobRecord, closed: readonly ClosedRun[], starts: boolean, retried: RetryDecision): JobChange {
  const last = retried.missed ?? closed.at(-1);
  if (job.cron !== null || starts || last === undefined || retried.waits) return {};
  return { state: 'done', reason: `${last.outcome}: ${last.message}` };
}

function isLate({ latestStartMs }: { latestStartMs: number }, dueAt: number, nowMs: number): boolean {
  return nowMs - dueAt > latestStartMs;
}

/** A run that is made up for has its time from now on. */
function startByOf(job: { missed: MissedPolicy; latestStartMs: number }, dueAt: number, nowMs: number): number {
  return (isLate(job, dueAt, nowMs) ? nowMs : Math.min(dueAt, nowMs)) + job.latestStartMs;
}

/** What follows for the job from how a run ended; `failures`: of the same due run, this one among them. */
export function decideAfter(
  job: JobRecord,
  run: Pick<RunRecord, 'dueAt' | 'attempt' | 'message'>,
  { outcome, interrupted }: { outcome: RunOutcome; interrupted: boolean },
  failures: number,
  nowMs: number,
): JobChange {
  // By hand, or paused meanwhile.
  if (run.attempt === 0 || job.state !== 'active') return {};
  const { dueAt } = run;
  const attempt = run.attempt + 1;
  if (interrupted) return { retry: { dueAt, attempt, at: nowMs } };
  if (outcome !== 'failed' && outcome !== 'rolled-back') {
    if (job.cron !== null) return { retry: null };
    return { retry: null, state: 'done', reason: outcome === 'skipped' ? `skipped: ${run.message}` : null };
  }
  if (failures > job.retries) {
    const times = failures === 1 ? 'the run failed' : `${failures} attempts failed`;
    return { retry: null, state: 'paused', reason: `${times}, the last: ${run.message}` };
  }
  return { retry: { dueAt, attempt, at: nowMs + retryWaitMs(job.retryWaitMs, failures) } };
}

export function describeRun({ dueAt, attempt }: Pick<RunRecord, 'dueAt' | 'attempt'>): string {
  if (attempt === 0) return `the run by hand of ${iso(dueAt)}`;
  return attempt === 1 ? `the run due at ${iso(dueAt)}` : `attempt ${attempt} of the run due at ${iso(dueAt)}`;
}

function missedMessage(nowMs: number): string {
  return `the jobs were not checked until ${iso(nowMs)}: no service was running, or the clock was set`;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
