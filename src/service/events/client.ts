/**
 * One reader of the stream of server-sent events. The database is its buffer: a reader that is slow, or comes back, is given the
 * events from there, as fast as it takes them; one that has all before gets what is new from the common poll. So no reader, however
 * slow, makes the process hold more than a few events for it.
 */
import { Readable } from 'node:stream';
import { eventView } from '../../controller/views/status.ts';
import type { EventStore, StoredEvent } from '../../store/events.ts';

export interface EventClient {
  readonly stream: Readable;
  /** What is new since the last poll, in order. */
  offer(events: readonly StoredEvent[]): void;
  /** Shows that the connection lives. False: the reader has taken nothing for too long. */
  beat(): boolean;
  /** Ends the stream, telling the reader why. One that does not read even that is cut off. */
  end(reason: string): void;
}

export interface EventClientOptions {
  /** Id of the last event that it has. */
  readonly after: number;
  /** Events of all slices, and of none, without it. */
  readonly slice?: string | undefined;
}

/** Read from the database at a time. */
const batch = 100;
/** A reader that is behind, and takes nothing from one beat to the next but one, is dropped. */
const maxMissedBeats = 2;
const farewellMs = 5000;
/** After how long a browser must reconnect. */
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
