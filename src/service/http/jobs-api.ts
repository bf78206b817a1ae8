import type { JobView, RunView } from '../jobs/view.ts';

type Awaitable<T> = T | Promise<T>;

/**
 * What the HTTP API needs from the jobs; all values are plain JSON, as the command line prints it. Each method throws
 * VnmError `not-found` for a job that does not exist.
 */
export interface JobsApi {
  list(): Awaitable<readonly JobView[]>;
  show(name: string): Awaitable<JobView>;
  /** Adds and returns a job. Throws VnmError `invalid-input` for an invalid job, `conflict` if the name is in use. */
  add(job: unknown): Awaitable<JobView>;
  remove(name: string): Awaitable<void>;
  pause(name: string): Awaitable<JobView>;
  resume(name: string): Awaitable<JobView>;
  /** Starts a run now, independent of the schedule, and returns it. Throws VnmError `conflict` if one is under way. */
  run(name: string): Awaitable<RunView>;
  /** Returns the runs, newest first. */
  history(name: string, limit: number): Awaitable<readonly RunView[]>;
}
