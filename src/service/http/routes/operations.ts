import * as z from 'zod';
import { chooseVn } from '../../../controller/base/resolve.ts';
import type { MigrateResult } from '../../../controller/migrate.ts';
import { migrateResultView } from '../../../controller/views/migration.ts';
import { type Api, type RouteParts, sliceNamed } from '../parts.ts';
import { errorAnswer, errors, sliceParams, vnOption } from '../schemas/common.ts';
import { migrateBody, migrateResult } from '../schemas/migration.ts';
import { measureResult, reconcileBody, reconcileResult, verifyResult } from '../schemas/nodes.ts';
import { planBody, planResult } from '../schemas/plan.ts';

const tags = ['operations'];
const trialRemoved = z
  .object({ outcome: z.literal('rolled-back') })
  .describe("Removed the trial instance that an interrupted 'plan' left behind");
/** A migration that did not complete returns what it did as well. */
const migrated = { 200: migrateResult, 409: z.union([migrateResult, errorAnswer]), ...errors };

/** Operations on the nodes. Each is answered when it has ended, and runs to its end even if the client disconnects. */
export function addOperationRoutes(app: Api, parts: RouteParts): void {
  const { operations, signal } = parts;
  const sliceAndVn = (params: { slice: string }, body: { vn?: string }) => {
    signal.throwIfAborted();
    const slice = sliceNamed(parts, params.slice);
    return [slice, chooseVn(slice, body.vn)] as const;
  };

  app.post(
    '/api/slices/:slice/verify',
    {
      schema: {
        operationId: 'verify',
        summary: 'Verify with packets that every end host reaches every other',
        tags,
        params: sliceParams,
        body: vnOption,
        response: { 200: verifyResult, ...errors },
      },
    },
    async ({ params, body }) => operations.verify(...sliceAndVn(params, body)),
  );

  app.post(
    '/api/slices/:slice/measure',
    {
      schema: {
        operationId: 'measure',
        summary: 'Measure the path latency of each flow on each instance, and the clocks of the gateways',
        tags,
        params: sliceParams,
        body: vnOption,
        response: { 200: measureResult, ...errors },
      },
    },
    async ({ params, body }) => operations.measure(...sliceAndVn(params, body)),
  );

  app.post(
    '/api/slices/:slice/reconcile',
    {
      schema: {
        operationId: 'reconcile',
        summary: 'Repair differences between the nodes and the database',
        tags,
        params: sliceParams,
        body: reconcileBody,
        response: { 200: reconcileResult, ...errors },
      },
    },
    async ({ params, body }) => {
      signal.throwIfAborted();
      return operations.reconcile(sliceNamed(parts, params.slice), body);
    },
  );

  app.post(
    '/api/slices/:slice/plan',
    {
      schema: {
        operationId: 'plan',
        summary: 'Predict what a migration would do and lose',
        tags,
        params: sliceParams,
        body: planBody,
        response: { 200: planResult, ...errors },
      },
    },
    async ({ params, body: { vn, ...options } }) =>
      operations.plan(...sliceAndVn(params, vn === undefined ? {} : { vn }), options),
  );

  app.post(
    '/api/slices/:slice/migrations',
    {
      schema: {
        operationId: 'migrate',
        summary: 'Move a running VN to another placement',
        description:
          'The answer comes when the migration has ended: 200 if it completed or had nothing to do, otherwise 409 with the same body.',
        tags,
        params: sliceParams,
        body: migrateBody,
        response: migrated,
      },
    },
    async ({ params, body: { vn, ...options } }, reply) => {
      const result = await operations.migrate(...sliceAndVn(params, vn === undefined ? {} : { vn }), options);
      return reply.code(isDone(result, 'completed') ? 200 : 409).send(migrateResultView(result));
    },
  );

  app.post(
    '/api/slices/:slice/resume',
    {
      schema: {
        operationId: 'resume',
        summary: 'Finish an interrupted migration',
        tags,
        params: sliceParams,
        body: vnOption,
        response: migrated,
      },
    },
    async ({ params, body }, reply) => {
      const result = await operations.resume(...sliceAndVn(params, body));
      return reply.code(isDone(result, 'completed') ? 200 : 409).send(migrateResultView(result));
    },
  );

  app.post(
    '/api/slices/:slice/rollback',
    {
      schema: {
        operationId: 'rollback',
        summary: 'Undo an interrupted migration',
        tags,
        params: sliceParams,
        body: vnOption,
        response: { ...migrated, 200: z.union([migrateResult, trialRemoved]) },
      },
    },
    async ({ params, body }, reply) => {
      const result = await operations.rollback(...sliceAndVn(params, body));
      if (result === undefined) return reply.code(200).send({ outcome: 'rolled-back' });
      return reply.code(isDone(result, 'rolled-back') ? 200 : 409).send(migrateResultView(result));
    },
  );
}

/** Whether a migration ended as wanted, or had nothing to do. */
function isDone({ outcome }: MigrateResult, wanted: MigrateResult['outcome']): boolean {
  return outcome === wanted || outcome === 'unchanged';
}
