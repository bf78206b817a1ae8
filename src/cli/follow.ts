import { setTimeout as sleep } from 'node:timers/promises';
import type { EventStore, StoredEvent } from '../store/events.ts';

/** How many events one query reads, and the wait before the next query when there were no more. */
const batch = 500;
const pollMs = 250;

/**
 * Yields the events after the event `after`, as they are recorded, until the signal aborts. Polls the database, which
 * commands write too, so no service needs to run.
 */
export async function* follow(
  events: Pick<EventStore, 'after'>,
  {
    after,
    slice,
    signal,
  }: { readonly after: number; readonly slice: string | undefined; readonly signal: AbortSignal },
): AsyncGenerator<StoredEvent> {
  for (let last = after; !signal.aborted; ) {
    const fresh = events.after(last, batch, slice);
    for (const event of fresh) {
      if (signal.aborted) return;
      yield event;
      last = event.id;
    }
    if (fresh.length < batch) await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}
