/** What the HTTP API needs of the jobs. All values are plain JSON, as the command line prints it. */

export type JsonObject = Readonly<Record<string, unknown>>;
type Awaitable<T> = T | Promise<T>;

/** Each throws VnmError `not-found` for a job that there is not. */
export interface JobsApi {
  list(): Awaitable<readonly JsonObject[]>;
  show(name: string): Awaitable<JsonObject>;
  /** Answers the job. Throws VnmError `invalid-input` that says what is wrong with it, `conflict` when the name is taken. */
  add(job: unknown): Awaitable<JsonObject>;
  remove(name: string): Awaitable<void>;
  pause(name: string): Awaitable<JsonObject>;
  resume(name: string): Awaitable<JsonObject>;
  /** Starts it now, whatever its schedule says, and answers the run that has begun. Throws VnmError `conflict` when it runs. */
  run(name: string): Awaitable<JsonObject>;
  /** Its runs, newest first. */
  history(name: string, limit: number): Awaitable<readonly JsonObject[]>;
}
