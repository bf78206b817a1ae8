import * as z from 'zod';
import { sliceStatus as statusOf } from '../../../controller/status.ts';
import { healthView, sliceStatusView } from '../../../controller/views/status.ts';
import { isoInstant } from '../../../model/instant.ts';
import { type Api, type RouteParts, sliceNamed } from '../parts.ts';
import { errors, sliceParams } from '../schemas/common.ts';
import { liveStatus } from '../schemas/nodes.ts';
import { sliceHealth, sliceStatus } from '../schemas/status.ts';

const tags = ['slices'];

/** What there is: by the database, by what the service watches, and by the nodes themselves. */
export function addSliceRoutes(app: Api, parts: RouteParts): void {
  const { store, operations } = parts;
  app.get(
    '/api/slices',
    {
      schema: {
        operationId: 'listSlices',
        summary: 'All slices with what is installed where',
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
        summary: 'What is installed where, by the database',
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
        summary: 'Health of nodes, routers, tunnels and paths, as the service last knew it',
        tags,
        params: sliceParams,
        response: { 200: sliceHealth, ...errors },
      },
    },
    async ({ params }) => {
      const { name } = sliceNamed(parts, params.slice);
      return { slice: name, service: watcher(parts), health: store.health.list(name).map(healthView) };
    },
  );

  app.get(
    '/api/slices/:slice/live',
    {
      schema: {
        operationId: 'compareSlice',
        summary: 'Ask the nodes what is not as the database says; changes nothing',
        tags,
        params: sliceParams,
        response: { 200: liveStatus, ...errors },
      },
    },
    async ({ params }) => operations.live(sliceNamed(parts, params.slice)),
  );
}

/** Who watches, without what only tells processes apart. */
function watcher({ store }: RouteParts) {
  const record = store.health.service();
  if (record === undefined) return null;
  const { host, pid, url, startedAt, seenAt } = record;
  return { host, pid, url, startedAt: isoInstant(startedAt), seenAt: isoInstant(seenAt) };
}
