/**
 * One client of the stream of server-sent events. The database is its buffer: a client that is slow, or reconnects,
 * gets the events from there as fast as it reads them; a client that is up to date gets new events from the common
 * poll. So the process never holds more than a few events for a slow client.
 */
import { Readable } from 'node:stream';
import { eventView } from '../../controller/views/status.ts';
import type { EventStore, StoredEvent } from '../../store/events.ts';

export interface EventClient {
  readonly stream: Readable;
  /** Sends the events that are new since the last poll, given in order. */
  offer(events: readonly StoredEvent[]): void;
  /** Sends a sign of life. Returns false if the client has read nothing for too long. */
  beat(): boolean;
  /** Sends the reason and ends the stream. Cuts off a client that does not read even that. */
  end(reason: string): void;
}

export interface EventClientOptions {
  /** The id of the last event that the client has. */
  readonly after: number;
  /** Undefined: the events of all slices, and those without a slice. */
  readonly slice?: string | undefined;
}

/** The number of events read from the database at once. */
const batch = 100;
/** A client that reads nothing during this many beats is dropped. */
const maxMissedBeats = 2;
const farewellMs = 5000;
/** The time after which a browser reconnects. */
const retryMs = 2000;

export function eventClient(events: Pick<EventStore, 'after'>, options: EventClientOptions): EventClient {
  const { slice } = options;
  let last = options.after;
  let isBehind = true;
  let takesMore = false;
  let missedBeats = 0;
  const stream = new Readable({ read });

  function write(text: string): void {
    takesMore = !stream.destroyed && stream.push(text);
  }

  function read(): void {
    takesMore = true;
    missedBeats = 0;
    if (isBehind) catchUp();
  }

  function catchUp(): void {
    while (takesMore && isBehind) {
      const missed = events.after(last, batch, slice);
      if (missed.length === 0) isBehind = false;
      send(missed);
    }
  }

  function send(list: readonly StoredEvent[]): void {
    for (const event of list) {
      if (event.id <= last) continue;
      if (!takesMore) {
        isBehind = true;
        return;
      }
      last = event.id;
      if (slice === undefined || event.slice === slice) write(textOf(event));
    }
  }

  write(`retry: ${retryMs}\nid: ${last}\n\n`);
  return {
    stream,
    offer: (list) => {
      if (!isBehind) send(list);
    },
    beat: () => {
      if (takesMore) write(': alive\n\n');
      else missedBeats += 1;
      return missedBeats < maxMissedBeats;
    },
    end: (reason) => {
      takesMore = false;
      isBehind = false;
      if (stream.destroyed) return;
      stream.push(`event: closed\ndata: ${JSON.stringify({ reason })}\n\n`);
      stream.push(null);
      const timer = setTimeout(() => stream.destroy(), farewellMs);
      stream.once('close', () => clearTimeout(timer));
    },
  };
}

function textOf(event: StoredEvent): string {
  return `id: ${event.id}\ndata: ${JSON.stringify(eventView(event))}\n\n`;
}
