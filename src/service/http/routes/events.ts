import * as z from 'zod';
import { eventView } from '../../../controller/views/status.ts';
import { type Api, type RouteParts, sliceNamed } from '../parts.ts';
import { errors, limit, slice } from '../schemas/common.ts';
import { event } from '../schemas/event.ts';

const tags = ['events'];
const eventId = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Past events, and the stream of new ones. */
export function addEventRoutes(app: Api, parts: RouteParts): void {
  const { feed, store } = parts;
  app.get(
    '/api/events',
    {
      schema: {
        operationId: 'listEvents',
        summary: 'List events, oldest first',
        tags,
        querystring: z.strictObject({
          slice: slice.exactOptional().describe('Name of a slice; all events if omitted'),
          after: eventId
            .exactOptional()
            .describe('Only events after the one with this id, 0 for all; the latest events if omitted'),
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

  // Answers HEAD without a stream: the stream that GET opens would never end.
  app.head('/api/events/stream', { schema: { hide: true } }, async (_request, reply) => {
    return reply.type('text/event-stream').send();
  });
  app.get(
    '/api/events/stream',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamEvents',
        summary: 'Stream new events as server-sent events',
        description: 'With the header Last-Event-ID, the stream begins with the event after that one.',
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
