import type { Readable } from 'node:stream';
import { VnmError } from '../../model/errors.ts';
import type { EventStore } from '../../store/events.ts';
import type { Log } from '../log.ts';
import { type EventClient, eventClient } from './client.ts';

export interface FeedOptions {
  /** The time between two polls of the database while there are clients: other processes write events there, too. */
  readonly pollMs?: number;
  readonly beatMs?: number;
  readonly maxClients?: number;
}

export interface EventFeed {
  /**
   * Opens a stream of server-sent events that come from now on, or after the event `after`. Destroy the stream to end
   * it. Throws VnmError `conflict` if there are too many clients.
   */
  open(options: { after?: number | undefined; slice?: string | undefined }): Readable;
  /** Returns the number of clients. */
  count(): number;
  /** Ends all streams with that reason, and opens no more. */
  close(reason: string): void;
}

/** The number of events read from the database at once. */
const batch = 500;

/** Sends the events of the database to all clients, with one poll for all. */
export function eventFeed(
  events: Pick<EventStore, 'after' | 'lastId'>,
  log: Log,
  { pollMs = 250, beatMs = 15_000, maxClients = 32 }: FeedOptions = {},
): EventFeed {
  const clients = new Set<EventClient>();
  let timers: NodeJS.Timeout[] = [];
  let closed: string | undefined;
  let polled = 0;
  let isUnreadable = false;

  function poll(): void {
    try {
      for (let isMore = true; isMore; ) {
        const fresh = events.after(polled, batch);
        for (const client of clients) client.offer(fresh);
        polled = fresh.at(-1)?.id ?? polled;
        isMore = fresh.length === batch;
      }
      isUnreadable = false;
    } catch (error) {
      if (!isUnreadable) log.error('events-unreadable', 'cannot read the events, retrying', { err: error });
      isUnreadable = true;
    }
  }

  function beat(): void {
    for (const client of [...clients]) {
      if (client.beat()) continue;
      const reason = `nothing read for ${Math.round(beatMs / 1000)} s`;
      log.warn('events-client-dropped', `dropped a client of the event stream: ${reason}`);
      drop(client, reason);
    }
  }

  function drop(client: EventClient, reason: string): void {
    remove(client);
    client.end(reason);
  }

  function remove(client: EventClient): void {
    clients.delete(client);
    if (clients.size === 0) stop();
  }

  function stop(): void {
    for (const timer of timers) clearInterval(timer);
    timers = [];
  }

  return {
    open: ({ after, slice }) => {
      if (closed !== undefined) throw new VnmError('interrupted', closed);
      if (clients.size >= maxClients) {
        throw new VnmError('conflict', `too many clients of the event stream, at most ${maxClients} are possible`);
      }
      const lastId = events.lastId();
      // A client may have the id of an event of another database, which had more events.
      const client = eventClient(events, { after: Math.min(after ?? lastId, lastId), slice });
      if (clients.size === 0) {
        polled = lastId;
        timers = [setInterval(poll, pollMs), setInterval(beat, beatMs)];
      }
      clients.add(client);
      client.stream.once('close', () => remove(client));
      return client.stream;
    },
    count: () => clients.size,
    close: (reason) => {
      closed = reason;
      for (const client of [...clients]) drop(client, reason);
    },
  };
}
