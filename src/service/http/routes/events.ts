import * as z from 'zod';
import { eventView } from '../../../controller/views/status.ts';
import { type Api, type RouteParts, sliceNamed } from '../parts.ts';
import { errors, limit, slice } from '../schemas/common.ts';
import { event } from '../schemas/event.ts';

const tags = ['events'];
const eventId = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** What happened, and what happens. */
export function addEventRoutes(app: Api, parts: RouteParts): void {
  const { feed, store } = parts;
  app.get(
    '/api/events',
    {
      schema: {
        operationId: 'listEvents',
        summary: 'Events, oldest first: those after one, or the latest',
        tags,
        querystring: z.strictObject({
          slice: slice.exactOptional().describe('Events of all slices, and of none, without it'),
          after: eventId.exactOptional().describe('Id of an event, 0 for the first on; the latest events without it'),
          limit: limit(1000, 100),
        }),
        response: { 200: z.object({ events: z.array(event) }), ...errors },
      },
    },
    async ({ query }) => {
      if (query.slice !== undefined) sliceNamed(parts, query.slice);
      if (query.after === undefined) {
        return { events: store.events.list(query.slice, query.limit).reverse().map(eventView) };
      }
      return { events: store.events.after(query.after, query.limit, query.slice).map(eventView) };
    },
  );

  // Without a reader: the stream that GET opens never ends by itself.
  app.head('/api/events/stream', { schema: { hide: true } }, async (_request, reply) => {
    return reply.type('text/event-stream').send();
  });
  app.get(
    '/api/events/stream',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamEvents',
        summary: 'Events as they happen, as server-sent events',
        description: 'After a break, those after the event that Last-Event-ID names come first.',
        tags,
        querystring: z.strictObject({ slice: slice.exactOptional() }),
        headers: z.looseObject({ 'last-event-id': eventId.exactOptional() }),
        response: { 200: { content: { 'text/event-stream': { schema: z.string() } } }, ...errors },
      },
    },
    async (request, reply) => {
      const { slice: name } = request.query;
      if (name !== undefined) sliceNamed(parts, name);
      const stream = feed.open({ after: request.headers['last-event-id'], slice: name });
      return reply.type('text/event-stream').send(stream as never);
    },
  );
}
