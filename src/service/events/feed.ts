import type { Readable } from 'node:stream';
import { VnmError } from '../../model/errors.ts';
import type { EventStore } from '../../store/events.ts';
import type { Log } from '../log.ts';
import { type EventClient, eventClient } from './client.ts';

export interface FeedOptions {
  /** How often the database is asked for what is new, while anybody reads: commands of other processes write there, too. */
  readonly pollMs?: number;
  readonly beatMs?: number;
  readonly maxClients?: number;
}

export interface EventFeed {
  /**
   * What happens from now on, or after the event `after`, as text of server-sent events; it ends when it is destroyed. Throws VnmError
   * `conflict` when there are too many readers.
   */
  open(options: { after?: number | undefined; slice?: string | undefined }): Readable;
  /** How many read. */
  count(): number;
  /** Ends all streams with that reason, and opens no more. */
  close(reason: string): void;
}

/** Asked for at once. */
const batch = 500;

/** Gives the events of the database to all who read, with one poll for all. */
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
      if (!isUnreadable) log.error('events-unreadable', 'the events cannot be read; it is tried again', { err: error });
      isUnreadable = true;
    }
  }

  function beat(): void {
    for (const client of [...clients]) {
      if (client.beat()) continue;
      const reason = `it has not read for ${Math.round(beatMs / 1000)} s`;
      log.warn('events-client-dropped', `a reader of the events was dropped: ${reason}`);
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
        throw new VnmError('conflict', `${maxClients} clients already read the events, and more are not possible`);
      }
      const lastId = events.lastId();
      // A client may remember another database, which was further.
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
