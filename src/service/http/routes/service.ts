import * as z from 'zod';
import { messageOf } from '../../../model/errors.ts';
import { serversFor } from '../openapi.ts';
import type { Api, RouteParts } from '../parts.ts';
import { errors } from '../schemas/common.ts';

const tags = ['service'];
const healthy = z.object({ status: z.literal('ok'), version: z.string(), detail: z.string() });
const unhealthy = z.object({ status: z.literal('failing'), version: z.string(), reason: z.string() });

/** The state of the service, for monitoring. */
export function addServiceRoutes(app: Api, parts: RouteParts): void {
  const { allowedHosts, metrics, version } = parts;
  app.get(
    '/healthz',
    {
      schema: {
        operationId: 'health',
        summary: 'Check whether the service works',
        tags,
        security: [],
        response: { 200: healthy, 503: unhealthy, '4xx': errors['4xx'] },
      },
    },
    async (_request, reply) => {
      const state = stateOf(parts);
      if (!state.ok) return reply.code(503).send({ status: 'failing', version, reason: state.detail });
      return reply.send({ status: 'ok', version, detail: state.detail });
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'metrics',
        summary: 'Get the metrics for Prometheus',
        tags,
        response: { 200: { content: { 'text/plain': { schema: z.string() } } }, ...errors },
      },
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.exposition()),
  );

  app.get(
    '/api/openapi.json',
    {
      schema: {
        operationId: 'openapi',
        summary: 'Get the OpenAPI 3.1 document of this API',
        tags,
        response: { 200: z.record(z.string(), z.unknown()), ...errors },
      },
    },
    async ({ headers }) => ({ ...app.swagger(), servers: serversFor(headers, allowedHosts) }),
  );
}

function stateOf({ store, alive }: RouteParts): { ok: boolean; detail: string } {
  try {
    store.events.lastId();
  } catch (error) {
    return { ok: false, detail: `cannot read the database: ${messageOf(error)}` };
  }
  return alive();
}
