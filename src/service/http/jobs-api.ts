import type { JobView, RunView } from '../jobs/view.ts';

type Awaitable<T> = T | Promise<T>;

/**
 * What the HTTP API needs of the jobs; all values are plain JSON, as the command line prints it. Each throws VnmError `not-found` for
 * a job that there is not.
 */
export interface JobsApi {
  list(): Awaitable<readonly JobView[]>;
  show(name: string): Awaitable<JobView>;
  /** Answers the job. Throws VnmError `invalid-input` that says what is wrong with it, `conflict` when the name is taken. */
  add(job: unknown): Awaitable<JobView>;
  remove(name: string): Awaitable<void>;
  pause(name: string): Awaitable<JobView>;
  resume(name: string): Awaitable<JobView>;
  /** Starts it now, whatever its schedule says, and answers the run that has begun. Throws VnmError `conflict` when it runs. */
  run(name: string): Awaitable<RunView>;
  /** Its runs, newest first. */
  history(name: string, limit: number): Awaitable<readonly RunView[]>;
}
