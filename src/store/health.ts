import type { Db } from './db.ts';
import type { Holder } from './locks.ts';

/**
 * `unknown`: the service has not checked yet, or cannot. `suspect`: no response, but not long enough to count as down.
 */
export type HealthState = 'unknown' | 'up' | 'suspect' | 'down';
/**
 * `tunnel`: a virtual link, or the link of a gateway to its router. `path`: from one gateway to another, end to end.
 */
export type HealthKind = 'node' | 'router' | 'tunnel' | 'path';

/** The last known health of a node, router, tunnel or path. */
export interface HealthRecord {
  /** '' for a node, which belongs to the slice. */
  readonly vn: string;
  readonly kind: HealthKind;
  /** Like `p1`, `a`, `a-b`, `ga-gb`. */
  readonly name: string;
  readonly state: HealthState;
  readonly since: number;
  /** Why it is in this state, for people. */
  readonly cause: string;
}

/** The process of the service. */
interface ServiceRecord extends Holder {
  readonly url: string;
  readonly startedAt: number;
  /** When it last reported that it is running. */
  readonly seenAt: number;
}

export interface HealthStore {
  /** Replaces all records of a slice. */
  save(slice: string, records: readonly HealthRecord[]): void;
  /** Nodes first, then VN by VN. */
  list(slice: string): HealthRecord[];
  /** Registers the service. Returns the other one instead if one is registered and not `isDead`. */
  register(service: ServiceRecord, isDead: (other: ServiceRecord) => boolean): ServiceRecord | undefined;
  seen(at: number): void;
  unregister(): void;
  service(): ServiceRecord | undefined;
}

export function healthStore(db: Db): HealthStore {
  const service = () =>
    db
      .prepare<unknown[], ServiceRecord>(
        `select host, boot, pid, process_start as processStart, url, started_at as startedAt, seen_at as seenAt
         from services`,
      )
      .get();
  return {
    save: (slice, records) => {
      db.transaction(() => {
        db.prepare('delete from health where slice = ?').run(slice);
        const insert = db.prepare(
          'insert into health (slice, vn, kind, name, state, since, cause) values (?, ?, ?, ?, ?, ?, ?)',
        );
        for (const { vn, kind, name, state, since, cause } of records)
          insert.run(slice, vn, kind, name, state, since, cause);
      }).immediate();
    },
    list: (slice) =>
      db
        .prepare<unknown[], HealthRecord>(
          `select vn, kind, name, state, since, cause from health where slice = ?
           order by vn, case kind when 'node' then 0 when 'router' then 1 when 'tunnel' then 2 else 3 end, rowid`,
        )
        .all(slice),
    register: ({ host, boot, pid, processStart, url, startedAt, seenAt }, isDead) =>
      db
        .transaction(() => {
          const other = service();
          if (other !== undefined && !isDead(other)) return other;
          db.prepare(
            `insert or replace into services (id, host, boot, pid, process_start, url, started_at, seen_at)
             values (1, ?, ?, ?, ?, ?, ?, ?)`,
          ).run(host, boot, pid, processStart, url, startedAt, seenAt);
          return undefined;
        })
        .immediate(),
    seen: (at) => {
      db.prepare('update services set seen_at = ?').run(at);
    },
    unregister: () => {
      db.prepare('delete from services').run();
    },
    service,
  };
}
