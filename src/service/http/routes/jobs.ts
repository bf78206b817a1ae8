import * as z from 'zod';
import { jobInputSchema } from '../../jobs/input.ts';
import type { Api, RouteParts } from '../parts.ts';
import { errors, limit, noOptions } from '../schemas/common.ts';
import { jobView, runView } from '../schemas/job.ts';

const tags = ['jobs'];
const params = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'not a job name'),
});

/** Scheduled migrations. */
export function addJobRoutes(app: Api, { jobs, signal }: RouteParts): void {
  app.get(
    '/api/jobs',
    {
      schema: {
        operationId: 'listJobs',
        summary: 'List all jobs with their next runs',
        tags,
        response: { 200: z.object({ jobs: z.array(jobView) }), ...errors },
      },
    },
    async () => ({ jobs: [...(await jobs.list())] }),
  );

  app.post(
    '/api/jobs',
    {
      schema: {
        operationId: 'addJob',
        summary: 'Add a job',
        tags,
        body: jobInputSchema,
        response: { 201: jobView, ...errors },
      },
      // `jobs.add` validates the body, and reports all faults at once.
      validatorCompiler: () => (value: unknown) => ({ value }),
    },
    async ({ body }, reply) => reply.code(201).send(await jobs.add(body)),
  );

  app.get(
    '/api/jobs/:name',
    {
      schema: { operationId: 'showJob', summary: 'Show one job', tags, params, response: { 200: jobView, ...errors } },
    },
    async ({ params: { name } }) => jobs.show(name),
  );

  app.delete(
    '/api/jobs/:name',
    {
      schema: {
        operationId: 'removeJob',
        summary: 'Remove a job with its history; refused while it runs',
        tags,
        params,
        response: { 204: z.undefined().describe('Removed'), ...errors },
      },
    },
    async ({ params: { name } }, reply) => {
      await jobs.remove(name);
      return reply.code(204).send();
    },
  );

  for (const [action, summary] of [
    ['pause', 'Pause a job until it is resumed'],
    ['resume', 'Resume a paused job'],
  ] as const) {
    app.post(
      `/api/jobs/:name/${action}`,
      {
        schema: {
          operationId: `${action}Job`,
          summary,
          tags,
          params,
          body: noOptions,
          response: { 200: jobView, ...errors },
        },
      },
      async ({ params: { name } }) => jobs[action](name),
    );
  }

  app.post(
    '/api/jobs/:name/run',
    {
      schema: {
        operationId: 'runJob',
        summary: 'Start a run of a job now; the answer does not wait for its end',
        tags,
        params,
        body: noOptions,
        response: { 202: runView, ...errors },
      },
    },
    async ({ params: { name } }, reply) => {
      signal.throwIfAborted();
      return reply.code(202).send(await jobs.run(name));
    },
  );

  app.get(
    '/api/jobs/:name/history',
    {
      schema: {
        operationId: 'jobHistory',
        summary: 'List the runs of a job, newest first',
        tags,
        params,
        querystring: z.strictObject({ limit: limit(500, 20) }),
        response: { 200: z.object({ runs: z.array(runView) }), ...errors },
      },
    },
    async ({ params: { name }, query }) => ({ runs: [...(await jobs.history(name, query.limit))] }),
  );
}
