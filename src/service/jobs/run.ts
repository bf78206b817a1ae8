/** One run of a job: waits until no other command works on the VN, migrates it, and records the outcome. */

import type { MigrateOptions, MigrateResult } from '../../controller/migrate.ts';
import type { MigrationOptions } from '../../controller/migration/options.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { namesPlacement } from '../../model/slice.ts';
import { interruptedMessage, type JobRecord, type RunOutcome, type RunRecord } from '../../store/jobs.ts';
import type { Holder } from '../../store/locks.ts';
import type { MigrationRecord } from '../../store/migrations.ts';
import type { Store } from '../../store/store.ts';
import type { JobClock } from './clock.ts';
import { decideAfter, describeRun, nextTarget } from './decide.ts';

export interface RunParts {
  readonly store: Store;
  readonly clock: Pick<JobClock, 'now' | 'after'>;
  readonly migrate: (job: JobRecord, options: MigrateOptions, signal: AbortSignal) => Promise<MigrateResult>;
  /** Whether another command works on the VN, so that the run must wait. */
  readonly isHeld: (job: JobRecord) => boolean;
  readonly signal: AbortSignal;
  /** Called if the database could not be written; the write is retried. */
  readonly onError: (error: unknown) => void;
}

export interface FinishedRun {
  /** The job after the run. */
  readonly job: JobRecord;
  readonly run: RunRecord;
  /** The result of the migration, if there was one that returned. */
  readonly result?: MigrateResult;
  /** The error that was thrown instead. */
  readonly error?: unknown;
}

interface Attempt {
  readonly outcome: RunOutcome;
  readonly message: string | null;
  readonly interrupted: boolean;
  readonly result?: MigrateResult;
  readonly error?: unknown;
  /** The id of the migration that the run began, or of the interrupted one that it finished. */
  readonly migrationId?: number | null;
}

const diedMessage = 'the process that ran it ended';
const pollMs = 1000;
/** The attempts to write to the database when the service ends. If all fail, the next process closes the run. */
const lastWrites = 3;

/**
 * Runs a job once by hand. Throws VnmError `conflict` if another run is under way; a run of a process that has ended
 * does not count.
 */
export async function runOnce(
  parts: RunParts,
  job: JobRecord,
  process: { readonly holder: Holder; readonly isDead: (holder: Holder) => boolean },
): Promise<FinishedRun> {
  const { store, clock } = parts;
  closeDeadRuns(store, clock.now(), process.isDead);
  const run = startByHand(store, job, process.holder, clock.now());
  const finished = await carryOut(parts, job, run, clock.now());
  if (finished !== undefined) return finished;
  throw new VnmError('conflict', `job '${job.name}' was removed while it ran`);
}

/** Records the start of a run by hand. Throws VnmError `conflict` if a run is under way. */
export function startByHand(store: Store, job: JobRecord, holder: Holder, nowMs: number): RunRecord {
  const begun = store.jobs.startByHand(job.id, holder, nowMs);
  if ('underWay' in begun) throw underWayError(job, begun.underWay);
  return begun.started;
}

export function underWayError({ name }: JobRecord, run: RunRecord): VnmError {
  return new VnmError('conflict', `${describeRun(run)} of job '${name}' is under way`, {
    hint: `run \`pl-vnm job history ${name}\` to see it`,
  });
}

/** Ends the runs of processes that were killed as failed attempts, and returns them with their jobs. */
export function closeDeadRuns(store: Store, nowMs: number, isDead: (holder: Holder) => boolean): FinishedRun[] {
  return store.jobs.underWay().flatMap((run) => {
    if (run.holder === null || !isDead(run.holder)) return [];
    const end = { outcome: 'failed', message: diedMessage, finishedAt: nowMs, migrationId: null } as const;
    const finished = store.jobs.finish(run.id, end, (job, ended, failures) =>
      decideAfter(job, ended, { outcome: 'failed', interrupted: false }, failures, nowMs),
    );
    return finished === undefined ? [] : [finished];
  });
}

/** Carries out a run. Returns undefined if another process has ended it as dead, or the job is gone. */
export async function carryOut(
  parts: RunParts,
  job: JobRecord,
  run: RunRecord,
  startByMs: number,
): Promise<FinishedRun | undefined> {
  const { store, clock } = parts;
  const { outcome, message, interrupted, result, error, migrationId = null } = await tryRun(parts, job, run, startByMs);
  const end = { outcome, message, finishedAt: clock.now(), migrationId };
  const finished = await persist(parts, () =>
    store.jobs.finish(run.id, end, (jobNow, runNow, failures) =>
      decideAfter(jobNow, runNow, { outcome, interrupted }, failures, clock.now()),
    ),
  );
  if (finished === undefined) return undefined;
  return { ...finished, ...(result === undefined ? {} : { result }), ...(error === undefined ? {} : { error }) };
}

async function tryRun(parts: RunParts, job: JobRecord, run: RunRecord, startByMs: number): Promise<Attempt> {
  const { clock, signal } = parts;
  const stopped = run.attempt === 0 ? 'interrupted' : interruptedMessage;
  try {
    let refused: VnmError | undefined;
    for (let refusals = 0; ; ) {
      signal.throwIfAborted();
      if (!parts.isHeld(job)) {
        const moved = await move(parts, job, run, stopped);
        if (!(moved instanceof VnmError)) return moved;
        refused = moved;
        // The command in its way may have ended already, or changed something: try once more.
        if (!parts.isHeld(job) && refusals > 0) throw moved;
        if (!parts.isHeld(job)) refusals += 1;
      }
      // A user who runs a job by hand learns which command is in the way.
      if (clock.now() >= startByMs && run.attempt === 0 && refused !== undefined) throw refused;
      if (clock.now() >= startByMs) return skippedFor(job);
      await pause(clock, pollMs, signal);
    }
  } catch (error) {
    return failedBy(error, signal, stopped);
  }
}

function failedBy(error: unknown, { aborted: interrupted }: AbortSignal, stopped: string): Attempt {
  return { outcome: 'failed', message: interrupted ? stopped : messageOf(error), interrupted, error };
}

/**
 * Returns a test whether the VN, or the job's router, is on the placement or node with that name. Compares placements
 * by value, not by name.
 */
function presentPlacement(store: Store, { slice, vn: name, router }: JobRecord): (goal: string) => boolean {
  const active = store.instances.active(slice, name);
  const vn = store.slices.find(slice)?.vns.find((one) => one.name === name);
  if (active === undefined || vn === undefined) return () => false;
  const { placement } = store.instances.plan(active.id);
  if (router !== null) return (node) => placement.get(router) === node;
  return (candidate) => namesPlacement(vn, candidate, placement);
}

/** Migrates the VN. Returns the error, instead of throwing it, if it is a conflict with another command. */
async function move(parts: RunParts, job: JobRecord, run: RunRecord, stopped: string): Promise<Attempt | VnmError> {
  const { store, clock, signal } = parts;
  const isOn = presentPlacement(store, job);
  const to = run.placement ?? nextTarget(job.placements, job.placements.find(isOn));
  await persist(parts, () => store.jobs.begin(run.id, to, clock.now()));
  if (isOn(to) && store.migrations.unfinished(job.slice, job.vn).length === 0)
    return { outcome: 'unchanged', message: alreadyThere(job, to), interrupted: false };
  const before = newestMigration(store, job);
  try {
    const options = JSON.parse(job.options) as MigrationOptions;
    const { router } = job;
    const result = await parts.migrate(job, { ...options, to, ...(router === null ? {} : { router }) }, signal);
    const interrupted = signal.aborted && result.interrupted && result.outcome !== 'completed';
    if (result.outcome === 'unchanged')
      return { outcome: 'unchanged', message: alreadyThere(job, to), interrupted: false };
    const message = interrupted ? stopped : (result.error ?? null);
    return { outcome: result.outcome, message, interrupted, result, migrationId: result.id };
  } catch (error) {
    if (error instanceof VnmError && error.code === 'conflict') return error;
    const after = newestMigration(store, job);
    const isItsOwn = after?.id !== before?.id || after?.outcome !== before?.outcome;
    return {
      ...failedBy(error, signal, stopped),
      ...(isItsOwn && after !== undefined ? { migrationId: after.id } : {}),
    };
  }
}

function alreadyThere({ vn, router }: JobRecord, to: string): string {
  if (router !== null) return `router '${router}' of VN '${vn}' is already on node '${to}'`;
  return `VN '${vn}' is already on placement '${to}'`;
}

function skippedFor({ slice, vn }: JobRecord): Attempt {
  const message = `other commands used VN '${vn}' of slice '${slice}' until the latest start of the run`;
  return { outcome: 'skipped', message, interrupted: false };
}

function newestMigration(store: Store, { slice, vn }: JobRecord): MigrationRecord | undefined {
  return store.migrations.list(slice, 100).find((migration) => migration.vn === vn);
}

/** Retries a write that must not be lost while another process holds the database. */
async function persist<T>({ clock, signal, onError }: RunParts, write: () => T): Promise<T> {
  for (let writesLeft = lastWrites; ; ) {
    try {
      return write();
    } catch (error) {
      if (signal.aborted) writesLeft -= 1;
      if (writesLeft === 0) throw error;
      onError(error);
      await pause(clock, pollMs, undefined);
    }
  }
}

/** Waits for `ms`, or until the signal aborts. */
function pause(clock: RunParts['clock'], ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener('abort', end, { once: true });
  });
}
