import { z } from 'zod';
import { VnmError } from '../../../src/model/errors.ts';
import type { JobsApi, JsonObject } from '../../../src/service/http/jobs-api.ts';

const schema = z.strictObject({ name: z.string(), slice: z.string(), to: z.string() });

/** Jobs in memory, which never run by themselves. */
export function fakeJobs(): JobsApi {
  const jobs = new Map<string, JsonObject>();
  const runs = new Map<string, JsonObject[]>();
  const show = (name: string) => {
    const job = jobs.get(name);
    if (job === undefined) throw new VnmError('not-found', `there is no job '${name}'`);
    return job;
  };
  const change = (name: string, values: JsonObject) => {
    const job = { ...show(name), ...values };
    jobs.set(name, job);
    return job;
  };
  return {
    list: () => [...jobs.values()],
    show,
    add: (input) => {
      const parsed = schema.safeParse(input);
      if (!parsed.success) throw new VnmError('invalid-input', `a job: ${parsed.error.issues[0]!.message}`);
      const { name } = parsed.data;
      if (jobs.has(name)) throw new VnmError('conflict', `there is a job '${name}' already`);
      const job = { ...parsed.data, state: 'waiting' };
      jobs.set(name, job);
      return job;
    },
    remove: (name) => {
      show(name);
      jobs.delete(name);
    },
    pause: (name) => change(name, { state: 'paused' }),
    resume: (name) => change(name, { state: 'waiting' }),
    run: async (name) => {
      show(name);
      const earlier = runs.get(name) ?? [];
      const run = { job: name, number: earlier.length + 1 };
      runs.set(name, [run, ...earlier]);
      return run;
    },
    history: async (name, limit) => {
      show(name);
      return (runs.get(name) ?? []).slice(0, limit);
    },
  };
}
