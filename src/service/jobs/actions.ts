/** What the command line and the HTTP API do with jobs. All but running them needs no service: they are rows in the database. */
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
    hint: names.length === 0 ? 'pl-vnm job add makes one' : `there are ${names.join(', ')}`,
  });
}

/** Throws VnmError `invalid-input` or `not-found` that says what is wrong with it, `conflict` when the name is taken. */
export function addJob(store: Store, input: unknown, nowMs = Date.now()): JobRecord {
  return store.jobs.add(readJob(store, input, nowMs), nowMs);
}

/** It starts no more until it is resumed; a run under way goes on. Throws VnmError `conflict` when it is done. */
export function pauseJob(store: Store, name: string): JobRecord {
  const job = findJob(store, name);
  if (job.state === 'done') throw doneError(job);
  if (job.state === 'active') store.jobs.change(job.id, { state: 'paused', reason: 'by hand', retry: null });
  return findJob(store, name);
}

/**
 * It starts again with what is due from now on; also what to do after a clock that was wrong by far has been set back. Throws
 * VnmError `conflict` when nothing is due any more.
 */
export function resumeJob(store: Store, name: string, nowMs = Date.now()): JobRecord {
  const job = findJob(store, name);
  if (job.state === 'done' || (job.at !== null && job.at <= nowMs)) throw doneError(job);
  if (job.state === 'paused')
    store.jobs.change(job.id, { state: 'active', reason: null, checkedAt: nowMs, retry: null });
  else if (job.checkedAt > nowMs) store.jobs.change(job.id, { checkedAt: nowMs });
  return findJob(store, name);
}

/** Forgets it with its history. Throws VnmError `conflict` while it runs. */
export function removeJob(store: Store, name: string): void {
  const job = findJob(store, name);
  const run = store.jobs.underWay().find(({ jobId, holder }) => jobId === job.id && holder !== null && !isDead(holder));
  if (run !== undefined) throw underWayError(job, run);
  store.jobs.remove(job.id);
}

function doneError({ name }: JobRecord): VnmError {
  return new VnmError('conflict', `the time of job '${name}' is in the past`, {
    hint: `pl-vnm job run ${name} runs it now; for another time add another job`,
  });
}
