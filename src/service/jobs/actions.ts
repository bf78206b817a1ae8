/** Actions of the command line and the HTTP API on jobs. Jobs are rows in the database, so no service is needed. */
import { isDead } from '../../controller/base/lock.ts';
import { VnmError } from '../../model/errors.ts';
import type { JobRecord } from '../../store/jobs.ts';
import type { Store } from '../../store/store.ts';
import { readJob } from './input.ts';
import { underWayError } from './run.ts';

/** Throws VnmError `not-found`. */
export function findJob(store: Store, name: string): JobRecord {
  const job = store.jobs.find(name);
  if (job !== undefined) return job;
  const names = store.jobs.list().map((other) => other.name);
  throw new VnmError('not-found', `there is no job '${name}'`, {
    hint: names.length === 0 ? 'run `pl-vnm job add` to add one' : `choose one of: ${names.join(', ')}`,
  });
}

/** Adds a job. Throws VnmError `invalid-input` or `not-found` for an invalid job, `conflict` if the name is in use. */
export function addJob(store: Store, input: unknown, nowMs = Date.now()): JobRecord {
  return store.jobs.add(readJob(store, input, nowMs), nowMs);
}

/** Pauses a job; a run under way continues. Throws VnmError `conflict` if the job is done. */
export function pauseJob(store: Store, name: string): JobRecord {
  const job = findJob(store, name);
  if (job.state === 'done') throw doneError(job);
  if (job.state === 'active') store.jobs.change(job.id, { state: 'paused', reason: 'by hand', retry: null });
  return findJob(store, name);
}

/**
 * Resumes a job with the runs that are due from now on; also after the clock was set back. Throws VnmError `conflict`
 * if no further run is due.
 */
export function resumeJob(store: Store, name: string, nowMs = Date.now()): JobRecord {
  const job = findJob(store, name);
  if (job.state === 'done' || (job.at !== null && job.at <= nowMs)) throw doneError(job);
  if (job.state === 'paused')
    store.jobs.change(job.id, { state: 'active', reason: null, checkedAt: nowMs, retry: null });
  else if (job.checkedAt > nowMs) store.jobs.change(job.id, { checkedAt: nowMs });
  return findJob(store, name);
}

/** Removes a job and its history. Throws VnmError `conflict` while it runs. */
export function removeJob(store: Store, name: string): void {
  const job = findJob(store, name);
  const run = store.jobs.underWay().find(({ jobId, holder }) => jobId === job.id && holder !== null && !isDead(holder));
  if (run !== undefined) throw underWayError(job, run);
  store.jobs.remove(job.id);
}

function doneError({ name }: JobRecord): VnmError {
  return new VnmError('conflict', `the time of job '${name}' is in the past`, {
    hint: `run \`pl-vnm job run ${name}\` to run it now, or add a job for another time`,
  });
}
