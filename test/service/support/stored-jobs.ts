import { thisProcess } from '../../../src/controller/base/lock.ts';
import type { JobsApi } from '../../../src/service/http/jobs-api.ts';
import { addJob, findJob, pauseJob, removeJob, resumeJob } from '../../../src/service/jobs/actions.ts';
import { jobView, runView } from '../../../src/service/jobs/view.ts';
import type { Store } from '../../../src/store/store.ts';

/** The jobs of a database without a runner: a run by hand ends at once without a migration. */
export function storedJobs(store: Store): JobsApi {
  const view = (name: string) => jobView(store, findJob(store, name), Date.now());
  return {
    list: () => store.jobs.list().map(({ name }) => view(name)),
    show: view,
    add: (input) => view(addJob(store, input).name),
    remove: (name) => removeJob(store, name),
    pause: (name) => view(pauseJob(store, name).name),
    resume: (name) => view(resumeJob(store, name).name),
    run: async (name) => {
      const answer = store.jobs.startByHand(findJob(store, name).id, thisProcess(), Date.now());
      if (!('started' in answer)) throw new Error('it runs');
      const end = { outcome: 'unchanged', finishedAt: Date.now(), message: null, migrationId: null } as const;
      store.jobs.finish(answer.started.id, end, () => ({}));
      return runView(answer.started);
    },
    history: async (name, limit) => store.jobs.runs(findJob(store, name).id, limit).map(runView),
  };
}
