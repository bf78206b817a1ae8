import type { Db } from './db.ts';
import type { Holder } from './locks.ts';

/** `unknown`: the service has not looked yet, or cannot. `suspect`: it does not answer, for too short a time to say more. */
export type HealthState = 'unknown' | 'up' | 'suspect' | 'down';
/** `tunnel`: a virtual link, or a gateway's into its router. `path`: from one gateway to another, end to end. */
export type HealthKind = 'node' | 'router' | 'tunnel' | 'path';

/** The health of one thing as the service last knew it. */
export interface HealthRecord {
  /** '' for a node, which is the slice's. */
  readonly vn: string;
  readonly kind: HealthKind;
  /** `p1`, `a`, `a-b`, `ga-gb`. */
  readonly name: string;
  readonly state: HealthState;
  readonly since: number;
  /** Why it is in this state, in words. */
  readonly cause: string;
}

/** The process that watches. */
interface ServiceRecord extends Holder {
  readonly url: string;
  readonly startedAt: number;
  /** When it last said that it lives. */
  readonly seenAt: number;
}

export interface HealthStore {
  /** Replaces all that is known of a slice. */
  save(slice: string, records: readonly HealthRecord[]): void;
  /** Nodes first, then VN by VN. */
  list(slice: string): HealthRecord[];
  /** Answers the service that is there already, unless `isDead`; else this one takes its place. */
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
