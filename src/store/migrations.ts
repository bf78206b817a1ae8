import type { UrpfMode } from '../model/route.ts';
import type { Db } from './database.ts';

export type Outcome = 'completed' | 'rolled-back' | 'failed';

export interface MigrationStart {
  readonly slice: string;
  readonly vn: string;
  readonly from: string;
  readonly to: string;
  readonly control: string;
  readonly schedule: string;
  readonly urpf: UrpfMode;
}

export interface MigrationRecord extends MigrationStart {
  readonly id: number;
  readonly state: string;
  readonly outcome: Outcome | null;
  readonly startedAt: number;
  readonly finishedAt: number | null;
  readonly error: string | null;
}

/** One redirection with its planned and real instants (Unix ms by the controller's clock). */
export interface RedirectionRecord {
  readonly gateway: string;
  readonly plannedAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly lagMs: number;
  readonly executionMs: number;
  readonly clockBoundMs: number;
}

export interface FlowRecord {
  readonly from: string;
  readonly to: string;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly reordered: number;
  readonly duplicated: number;
  readonly maxGapMs: number;
  /** One way, end host to end host; null when nothing arrived. */
  readonly minLatencyMs: number | null;
  readonly maxLatencyMs: number | null;
  /** By the loss model; null when the migration ended before a schedule was made. */
  readonly predictedLost: number | null;
  readonly predictedAddedDelayMs: number | null;
}

/** Migrations with their phases, redirections and results. */
export interface MigrationStore {
  start(migration: MigrationStart): number;
  /** Marks the beginning of a phase; the previous one ends. */
  phase(id: number, ordinal: number, name: string, at: number): void;
  finish(id: number, outcome: Outcome, at: number, error?: string): void;
  saveRedirections(id: number, redirections: readonly RedirectionRecord[]): void;
  saveFlows(id: number, flows: readonly FlowRecord[]): void;
  /** Newest first. */
  list(slice?: string, limit?: number): MigrationRecord[];
}

export function migrationStore(db: Db): MigrationStore {
  const endPhase = db.prepare(
    'update migration_phases set finished_at = ? where migration_id = ? and finished_at is null',
  );
  return {
    start: ({ slice, vn, from, to, control, schedule, urpf }) =>
      db
        .prepare<unknown[], number>(
          `insert into migrations (slice, vn, from_placement, to_placement, control, schedule, urpf, state, started_at)
           values (?, ?, ?, ?, ?, ?, ?, 'started', ?) returning id`,
        )
        .pluck()
        .get(slice, vn, from, to, control, schedule, urpf, Date.now())!,
    phase: db.transaction((id: number, ordinal: number, name: string, at: number) => {
      endPhase.run(at, id);
      db.prepare('insert into migration_phases (migration_id, ordinal, name, started_at) values (?, ?, ?, ?)').run(
        id,
        ordinal,
        name,
        at,
      );
      db.prepare('update migrations set state = ? where id = ?').run(name, id);
    }),
    finish: db.transaction((id: number, outcome: Outcome, at: number, error?: string) => {
      endPhase.run(at, id);
      db.prepare('update migrations set state = ?, outcome = ?, finished_at = ?, error = ? where id = ?').run(
        outcome,
        outcome,
        at,
        error ?? null,
        id,
      );
    }),
    saveRedirections: db.transaction((id: number, redirections: readonly RedirectionRecord[]) => {
      const insert = db.prepare(
        `insert or replace into redirections (migration_id, ordinal, gateway, planned_at, started_at, finished_at, lag_ms, execution_ms, clock_bound_ms)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      );
      redirections.forEach((r, ordinal) => {
        insert.run(
          id,
          ordinal,
          r.gateway,
          r.plannedAt,
          r.startedAt,
          r.finishedAt,
          r.lagMs,
          r.executionMs,
          r.clockBoundMs,
        );
      });
    }),
    saveFlows: db.transaction((id: number, flows: readonly FlowRecord[]) => {
      const insert = db.prepare(
        `insert or replace into flow_results (migration_id, from_host, to_host, sent, received, lost, reordered, duplicated, max_gap_ms, min_latency_ms,
           max_latency_ms, predicted_lost, predicted_added_delay_ms)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      );
      for (const f of flows) {
        const counted = [
          f.sent,
          f.received,
          f.lost,
          f.reordered,
          f.duplicated,
          f.maxGapMs,
          f.minLatencyMs,
          f.maxLatencyMs,
        ];
        insert.run(id, f.from, f.to, ...counted, f.predictedLost, f.predictedAddedDelayMs);
      }
    }),
    list: (slice, limit = 20) =>
      db
        .prepare<unknown[], MigrationRecord>(
          `select id, slice, vn, from_placement as "from", to_placement as "to", control, schedule, urpf, state, outcome,
             started_at as startedAt, finished_at as finishedAt, error
           from migrations where ? is null or slice = ? order by id desc limit ?`,
        )
        .all(slice ?? null, slice ?? null, limit),
  };
}
