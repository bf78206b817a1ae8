/**
 * Starts the runs of all jobs when they are due. node-cron says when to look; so do a heartbeat, which finds what fell into a sleep or
 * a step of the clock, and a timer for what node-cron does not know: retries, single times, and hours that the clocks repeat. What is
 * to be done is then decided from the database, in one transaction with what is written about it: looking twice starts nothing twice.
 */
import type { ClosedRun, JobRecord, RunRecord } from '../../store/jobs.ts';
import type { Holder } from '../../store/locks.ts';
import type { JobClock, Started } from './clock.ts';
import { type Decision, decideDue } from './decide.ts';
import { dueBetween } from './due.ts';
import { carryOut, closeDead, type FinishedRun, type RunParts, startByHand } from './run.ts';

/** What happened, for the log, the events and the counts. */
export type Happening =
  | { readonly kind: 'started'; readonly job: JobRecord; readonly run: RunRecord }
  | ({ readonly kind: 'finished' } & FinishedRun)
  /** `more`: there were more than are listed. */
  | {
      readonly kind: 'not-started';
      readonly job: JobRecord;
      readonly runs: readonly ClosedRun[];
      readonly more: boolean;
    }
  /** Nothing is due until the clock has come there again. */
  | { readonly kind: 'clock-set-back'; readonly job: JobRecord; readonly nowMs: number };

export interface RunnerParts extends RunParts {
  readonly clock: JobClock;
  /** This process. */
  readonly holder: Holder;
  readonly isDead: (holder: Holder) => boolean;
  readonly tell: (happening: Happening) => void;
  readonly heartbeatMs?: number;
}

export interface Runner {
  /** Looks at all jobs now; also to be called when some were changed. */
  tick(): void;
  /** Starts a run now. Throws VnmError `conflict` when one is under way. */
  runNow(job: JobRecord): RunRecord;
  /** Once the signal has aborted: waits for the runs under way. */
  ended(): Promise<void>;
}

const defaultHeartbeatMs = 30_000;
/** When the database cannot be read or written now. */
const againMs = 1000;
/** So old may what was last written of a job get when nothing is due. */
const staleMs = 3_600_000;
/** A clock that is set back by less is not worth a word. */
const setBackMs = 60_000;

export function createRunner(parts: RunnerParts): Runner {
  const { store, clock, holder, signal } = parts;
  const heartbeatMs = parts.heartbeatMs ?? defaultHeartbeatMs;
  const cron = new Map<string, Started>();
  const running = new Set<Promise<void>>();
  const toldOfClock = new Set<number>();
  let cancelTimer = () => {};

  /** Who listens must not stop what is written down already. */
  function tell(happening: Happening): void {
    try {
      parts.tell(happening);
    } catch (error) {
      parts.onError(error);
    }
  }

  function tick(): void {
    if (signal.aborted) return;
    let nextMs = heartbeatMs;
    try {
      for (const finished of closeDead(store, clock.now(), parts.isDead)) tell({ kind: 'finished', ...finished });
      const jobs = store.jobs.list();
      followJobs(jobs);
      const changed = jobs.filter(look);
      nextMs = untilNext(changed.length === 0 ? jobs : store.jobs.list());
    } catch (error) {
      parts.onError(error);
      nextMs = againMs;
    }
    cancelTimer();
    cancelTimer = clock.after(nextMs, tick);
  }

  /** A node-cron task for each job that has a pattern. */
  function followJobs(jobs: readonly JobRecord[]): void {
    const wanted = new Map(
      jobs.flatMap((job) =>
        job.state === 'active' && job.cron !== null ? [[keyOf(job), { ...job, cron: job.cron }]] : [],
      ),
    );
    for (const [key, started] of cron) {
      if (wanted.has(key)) continue;
      started.stop();
      cron.delete(key);
    }
    for (const [key, job] of wanted) if (!cron.has(key)) cron.set(key, clock.start(job, tick));
  }

  /** Answers whether there was something to do. */
  function look(seen: JobRecord): boolean {
    const nowMs = clock.now();
    tellOfClock(seen, nowMs);
    if (!isWorthWriting(seen, decideDue(seen, undefined, nowMs), nowMs)) return false;
    let decision: Decision | undefined;
    let job = seen;
    const written = store.jobs.advance(seen.id, holder, nowMs, (current, underWay) => {
      job = current;
      decision = decideDue(current, underWay, nowMs);
      return decision;
    });
    if (written === undefined || decision === undefined) return true;
    if (written.closed.length > 0) tell({ kind: 'not-started', job, runs: written.closed, more: decision.more });
    if (written.started !== undefined) launch(job, written.started, decision.startByMs);
    return true;
  }

  function tellOfClock(job: JobRecord, nowMs: number): void {
    if (job.checkedAt - nowMs < setBackMs) toldOfClock.delete(job.id);
    else if (job.state === 'active' && !toldOfClock.has(job.id)) {
      toldOfClock.add(job.id);
      tell({ kind: 'clock-set-back', job, nowMs });
    }
  }

  function launch(job: JobRecord, run: RunRecord, startByMs: number): void {
    tell({ kind: 'started', job, run });
    const work = carryOut(parts, job, run, startByMs)
      .then((finished) => {
        if (finished !== undefined) tell({ kind: 'finished', ...finished });
      })
      .catch(parts.onError)
      .finally(() => {
        running.delete(work);
        // A retry may be next, sooner than was known.
        tick();
      });
    running.add(work);
  }

  /** How long until it has to look again, apart from what node-cron knows. */
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
      for (const started of cron.values()) started.stop();
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
