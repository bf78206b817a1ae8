import * as z from 'zod';
import { sliceStatus as statusOf } from '../../../controller/status.ts';
import { healthView, sliceStatusView } from '../../../controller/views/status.ts';
import { isoInstant } from '../../../model/instant.ts';
import { type Api, type RouteParts, sliceNamed } from '../parts.ts';
import { errors, sliceParams } from '../schemas/common.ts';
import { liveStatus } from '../schemas/nodes.ts';
import { sliceHealth, sliceStatus } from '../schemas/status.ts';

const tags = ['slices'];

/** The slices: their state in the database, their health, and their state on the nodes. */
export function addSliceRoutes(app: Api, parts: RouteParts): void {
  const { store, operations } = parts;
  app.get(
    '/api/slices',
    {
      schema: {
        operationId: 'listSlices',
        summary: 'List all slices with what is installed where',
        tags,
        response: { 200: z.object({ slices: z.array(sliceStatus) }), ...errors },
      },
    },
    async () => ({
      slices: store.slices.names().map((name) => sliceStatusView(statusOf(store, sliceNamed(parts, name)))),
    }),
  );

  app.get(
    '/api/slices/:slice',
    {
      schema: {
        operationId: 'showSlice',
        summary: 'Show what is installed where, according to the database',
        tags,
        params: sliceParams,
        response: { 200: sliceStatus, ...errors },
      },
    },
    async ({ params }) => sliceStatusView(statusOf(store, sliceNamed(parts, params.slice))),
  );

  app.get(
    '/api/slices/:slice/health',
    {
      schema: {
        operationId: 'sliceHealth',
        summary: 'Show the last known health of nodes, routers, tunnels and paths',
        tags,
        params: sliceParams,
        response: { 200: sliceHealth, ...errors },
      },
    },
    async ({ params }) => {
      const { name } = sliceNamed(parts, params.slice);
      return { slice: name, service: monitoringService(parts), health: store.health.list(name).map(healthView) };
    },
  );

  app.get(
    '/api/slices/:slice/live',
    {
      schema: {
        operationId: 'compareSlice',
        summary: 'Compare the nodes with the database; changes nothing',
        tags,
        params: sliceParams,
        response: { 200: liveStatus, ...errors },
      },
    },
    async ({ params }) => operations.live(sliceNamed(parts, params.slice)),
  );
}

/** Returns the service that monitors, without the fields that only identify its process. */
function monitoringService({ store }: RouteParts) {
  const record = store.health.service();
  if (record === undefined) return null;
  const { host, pid, url, startedAt, seenAt } = record;
  return { host, pid, url, startedAt: isoInstant(startedAt), seenAt: isoInstant(seenAt) };
}
