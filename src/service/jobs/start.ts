/** Runs the jobs in the service. */
import { isDead, isLocked, thisProcess } from '../../controller/base/lock.ts';
import { messageOf } from '../../model/errors.ts';
import type { JobsApi } from '../http/jobs-api.ts';
import { migrateForJob } from '../job-migration.ts';
import { lateWriter } from '../late-writer.ts';
import type { Log } from '../log.ts';
import type { ServiceContext } from '../watching.ts';
import { addJob, findJob, pauseJob, removeJob, resumeJob } from './actions.ts';
import { systemJobClock } from './clock.ts';
import { createRunner } from './runner.ts';
import { type Listeners, reportError, reportToListeners } from './tell.ts';
import { jobView, runView } from './view.ts';

export interface Jobs {
  readonly api: JobsApi & { names(): string[] };
  /** Waits for the runs under way to end. The context's signal must have aborted. */
  ended(): Promise<void>;
}

/** Runs the jobs until the context's signal aborts; calls `countRun` for every run that ended or was not started. */
export function startJobs(context: ServiceContext, log: Log, countRun: (job: string, outcome: string) => void): Jobs {
  const { store, signal } = context;
  const writer = lateWriter((err) =>
    log.warn('database-busy', `cannot write events yet, retrying: ${messageOf(err)}`, { err }),
  );
  const listeners: Listeners = { store, writer, log, countRun };
  const runner = createRunner({
    store,
    clock: systemJobClock,
    holder: thisProcess(),
    isDead,
    signal,
    migrate: (job, options, stop) => migrateForJob({ ...context, signal: stop }, job, options),
    isHeld: ({ slice, vn }) => isLocked(context, slice, vn),
    report: (report) => reportToListeners(listeners, report),
    onError: (error) => reportError(listeners, error),
  });
  // `countRun` may not work before the caller has the result of this function.
  setImmediate(runner.tick);
  const view = (name: string) => ({ ...jobView(store, findJob(store, name), Date.now()) });

  /** Checks the jobs at once after a change, and returns the changed one. */
  function changed(name: string) {
    runner.tick();
    return view(name);
  }

  const api: Jobs['api'] = {
    names: () => store.jobs.list().map(({ name }) => name),
    list: () => store.jobs.list().map((job) => ({ ...jobView(store, job, Date.now()) })),
    show: view,
    add: (input) => changed(addJob(store, input).name),
    remove: (name) => {
      removeJob(store, name);
      runner.tick();
    },
    pause: (name) => changed(pauseJob(store, name).name),
    resume: (name) => changed(resumeJob(store, name).name),
    run: (name) => ({ ...runView(runner.runNow(findJob(store, name))) }),
    history: (name, limit) => store.jobs.runs(findJob(store, name).id, limit).map((run) => ({ ...runView(run) })),
  };
  return {
    api,
    ended: async () => {
      await runner.ended();
      writer.close();
    },
  };
}
