/** One run of a job: waits until no other command works on the VN, moves it, and writes down how it ended. */

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
  /** Whether somebody else works on the VN, so that it is waited for. */
  readonly isHeld: (job: JobRecord) => boolean;
  readonly signal: AbortSignal;
  /** The database could not be written, and is tried again. */
  readonly onError: (error: unknown) => void;
}

export interface FinishedRun {
  /** The job as the run left it. */
  readonly job: JobRecord;
  readonly run: RunRecord;
  /** Where it came to a migration that says how it ended. */
  readonly result?: MigrateResult;
  /** What was thrown instead. */
  readonly error?: unknown;
}

interface Attempt {
  readonly outcome: RunOutcome;
  readonly message: string | null;
  readonly interrupted: boolean;
  readonly result?: MigrateResult;
  readonly error?: unknown;
  /** Of the migration that it began, or finished where that had been interrupted. */
  readonly migrationId?: number | null;
}

const diedMessage = 'the process that ran it ended';
const pollMs = 1000;
/** When the service ends, it tries to write to a database that fails this often: the next process closes the run. */
const lastWrites = 3;

/**
 * A run by hand, from its beginning to its end. Throws VnmError `conflict` when another is under way, which that of a process that has
 * ended is not.
 */
export async function runOnce(
  parts: RunParts,
  job: JobRecord,
  process: { readonly holder: Holder; readonly isDead: (holder: Holder) => boolean },
): Promise<FinishedRun> {
  const { store, clock } = parts;
  closeDead(store, clock.now(), process.isDead);
  const run = startByHand(store, job, process.holder, clock.now());
  const finished = await carryOut(parts, job, run, clock.now());
  if (finished !== undefined) return finished;
  throw new VnmError('conflict', `job '${job.name}' was removed meanwhile`);
}

/** Throws VnmError `conflict` when a run is under way. */
export function startByHand(store: Store, job: JobRecord, holder: Holder, nowMs: number): RunRecord {
  const begun = store.jobs.startByHand(job.id, holder, nowMs);
  if ('underWay' in begun) throw underWayError(job, begun.underWay);
  return begun.started;
}

export function underWayError({ name }: JobRecord, run: RunRecord): VnmError {
  return new VnmError('conflict', `${describeRun(run)} of job '${name}' is under way`, {
    hint: `pl-vnm job history ${name} shows it`,
  });
}

/** Runs of processes that were killed are ended as failed, and count as tried. Answers them with their jobs. */
export function closeDead(store: Store, nowMs: number, isDead: (holder: Holder) => boolean): FinishedRun[] {
  return store.jobs.underWay().flatMap((run) => {
    if (run.holder === null || !isDead(run.holder)) return [];
    const end = { outcome: 'failed', message: diedMessage, finishedAt: nowMs, migrationId: null } as const;
    const finished = store.jobs.finish(run.id, end, (job, ended, failures) =>
      decideAfter(job, ended, { outcome: 'failed', interrupted: false }, failures, nowMs),
    );
    return finished === undefined ? [] : [finished];
  });
}

/** Undefined where the run was ended by another process meanwhile, which took this one for dead, or the job is gone. */
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
        // Whoever was in its way may have gone already, or has changed something: once more is worth it then.
        if (!parts.isHeld(job) && refusals > 0) throw moved;
        if (!parts.isHeld(job)) refusals += 1;
      }
      // Who asks for it by hand hears who is in the way.
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

/** Answers of a name whether it stands for the placement that the VN is on: placements are compared by what they say. */
function presentPlacement(store: Store, { slice, vn: name }: JobRecord): (placement: string) => boolean {
  const active = store.instances.active(slice, name);
  const vn = store.slices.find(slice)?.vns.find((one) => one.name === name);
  if (active === undefined || vn === undefined) return () => false;
  const { placement } = store.instances.plan(active.id);
  return (candidate) => namesPlacement(vn, candidate, placement);
}

/** Answers what refused it when that is a conflict with what others do. */
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
    const result = await parts.migrate(job, { ...options, to }, signal);
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

function alreadyThere({ vn }: JobRecord, to: string): string {
  return `VN '${vn}' is on placement '${to}' already`;
}

function skippedFor({ slice, vn }: JobRecord): Attempt {
  const message = `VN '${vn}' of slice '${slice}' was in use by others until its latest start`;
  return { outcome: 'skipped', message, interrupted: false };
}

function newestMigration(store: Store, { slice, vn }: JobRecord): MigrationRecord | undefined {
  return store.migrations.list(slice, 100).find((migration) => migration.vn === vn);
}

/** Somebody else may hold the database, and what was done must be written down. */
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

/** Ends early when the signal aborts. */
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
