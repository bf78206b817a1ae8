import { setTimeout as sleep } from 'node:timers/promises';
import type { EventStore, StoredEvent } from '../store/events.ts';

/** Read from the database at a time, and how long it is left alone when nothing was new. */
const batch = 500;
const pollMs = 250;

/**
 * Events after the event `after`, as they come, until the signal aborts. The database is asked: commands and the service write it, so
 * no service need run.
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
