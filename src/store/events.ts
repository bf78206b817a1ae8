export interface StoredEvent {
  /** Grows; never reused. */
  readonly id: number;
  readonly at: number;
  readonly slice: string | null;
  readonly kind: string;
  readonly message: string;
  /** The detail that was given to `add`, or null. */
  readonly detail: unknown;
}

/** The log of what happened, for people. */
export interface EventStore {
  add(slice: string | undefined, kind: string, message: string, detail?: unknown): void;
  /** Newest first. */
  list(slice?: string, limit?: number): StoredEvent[];
  /** The number of events of these kinds since an instant. */
  count(slice: string, kinds: readonly string[], since: number): number;
  /** The events after the event `id`, oldest first; 0: from the first one. */
  after(id: number, limit: number, slice?: string): StoredEvent[];
  /** The latest events of these kinds, newest first. */
  ofKinds(kinds: readonly string[], slice: string | undefined, limit: number): StoredEvent[];
  /** The id of the newest event; 0 if there is none. */
  lastId(): number;
  /** The id of the newest event before an instant; 0 if there is none. */
  lastIdBefore(at: number): number;
}

interface EventRow extends Omit<StoredEvent, 'detail'> {
  readonly detail: string | null;
}

const columns = 'id, at, slice, kind, message, detail';

export function eventStore(db: Db): EventStore {
  const all = (sql: string, ...values: unknown[]) =>
    db
      .prepare<unknown[], EventRow>(`select ${columns} from events where ${sql}`)
      .all(...values)
      .map((row): StoredEvent => ({ ...row, detail: row.detail === null ? null : JSON.parse(row.detail) }));
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
      all('? is null or slice = ? order by id desc limit ?', slice ?? null, slice ?? null, limit),
    count: (slice, kinds, since) =>
      db
        .prepare<unknown[], number>(
          'select count(*) from events where slice = ? and at >= ? and kind in (select value from json_each(?))',
        )
        .pluck()
        .get(slice, since, JSON.stringify(kinds))!,
    after: (id, limit, slice) =>
      all('id > ? and (? is null or slice = ?) order by id limit ?', id, slice ?? null, slice ?? null, limit),
    ofKinds: (kinds, slice, limit) =>
      all(
        'kind in (select value from json_each(?)) and (? is null or slice = ?) order by id desc limit ?',
        JSON.stringify(kinds),
        slice ?? null,
        slice ?? null,
        limit,
      ),
    lastIdBefore: (at) =>
      db.prepare<[number], number>('select coalesce(max(id), 0) from events where at < ?').pluck().get(at)!,
    lastId: () => db.prepare<[], number>('select coalesce(max(id), 0) from events').pluck().get()!,
  };
}

import type { Db } from './db.ts';
