import type { EventStore, StoredEvent } from '../../../src/store/events.ts';

export interface MemoryEvents extends Pick<EventStore, 'after' | 'lastId'> {
  add(count: number, slice?: string | null, message?: string): void;
  all(): readonly StoredEvent[];
  /** The number of reads. */
  readonly reads: number;
  /** The error that reads throw, if set. */
  failure: Error | undefined;
}

/** An event store without a database. */
export function memoryEvents(): MemoryEvents {
  const list: StoredEvent[] = [];
  const store = {
    reads: 0,
    failure: undefined as Error | undefined,
    add: (count: number, slice: string | null = 'three', message = 'text') => {
      for (let index = 0; index < count; index += 1)
        list.push({ id: list.length + 1, at: 1000, slice, kind: 'test', message, detail: null });
    },
    all: () => list,
    after: (id: number, limit: number, slice?: string) => {
      store.reads += 1;
      if (store.failure !== undefined) throw store.failure;
      return list.filter((event) => event.id > id && (slice === undefined || event.slice === slice)).slice(0, limit);
    },
    lastId: () => list.length,
  };
  return store;
}
