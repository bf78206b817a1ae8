import type { Db } from './database.ts';

export interface StoredEvent {
  readonly at: number;
  readonly slice: string | null;
  readonly kind: string;
  readonly message: string;
}

/** What happened, for people to read later. */
export interface EventStore {
  add(slice: string | undefined, kind: string, message: string, detail?: unknown): void;
  /** Newest first. */
  list(slice?: string, limit?: number): StoredEvent[];
  /** How many of these kinds there were since an instant. */
  count(slice: string, kinds: readonly string[], since: number): number;
}

export function eventStore(db: Db): EventStore {
  return {
    add: (slice, kind, message, detail) => {
      db.prepare('insert into events (at, slice, kind, message, detail) values (?, ?, ?, ?, ?)').run(
        Date.now(),
        slice ?? null,
        kind,
        message,
        detail === undefined ? null : JSON.stringify(detail),
      );
    },
    list: (slice, limit = 20) =>
      db
        .prepare<unknown[], StoredEvent>(
          'select at, slice, kind, message from events where ? is null or slice = ? order by id desc limit ?',
        )
        .all(slice ?? null, slice ?? null, limit),
    count: (slice, kinds, since) =>
      db
        .prepare<unknown[], number>(
          'select count(*) from events where slice = ? and at >= ? and kind in (select value from json_each(?))',
        )
        .pluck()
        .get(slice, since, JSON.stringify(kinds))!,
  };
}
