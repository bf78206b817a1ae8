import type { GatewayName, NodeName, RouterName } from '../model/names.ts';
import type { UrpfMode } from '../model/route.ts';
import type { Db } from './db.ts';

export type Outcome = 'completed' | 'rolled-back' | 'failed';

export interface MigrationStart {
  readonly slice: string;
  readonly vn: string;
  /** Names of the placements; null: the placement has none. */
  readonly from: string | null;
  readonly to: string | null;
  /** The placements themselves, router -> node. */
  readonly fromNodes?: Readonly<Record<string, string>>;
  readonly toNodes?: Readonly<Record<string, string>>;
  readonly control: string;
  readonly schedule: string;
  readonly urpf: UrpfMode;
  /** As JSON. */
  readonly options: string;
  readonly urpfBefore: UrpfMode;
  /** The id of the instance that carries the traffic at the start. */
  readonly oldInstance: number;
}

/** What becomes known during a migration. */
interface MigrationProgress {
  readonly newInstance?: number;
  /** The id under which the gateways are about to be armed. */
  readonly armedId?: string;
  /** How long the old instance is kept after the redirections. */
  readonly drainMs?: number;
  /** Routers that were cloned from the record, because their nodes were unreachable. */
  readonly fromRecord?: readonly string[];
  /** Stored with the options. */
  readonly baseline?: Baseline;
  /** How the routing daemons of moving routers move, by router; added to those that are stored with the options. */
  readonly controlPlanes?: Readonly<Record<string, string>>;
}

/** The reachability of the pairs of end hosts before the migration, which must not get worse. */
export interface Baseline {
  /** Pairs whose reachability was not proven. */
  readonly unproven: readonly HostPair[];
  /** Pairs that only an echo proved; undefined in records of earlier versions. */
  readonly byEcho?: readonly HostPair[] | undefined;
  /** Pairs that lost packets of the VN's full size; undefined in records of earlier versions. */
  readonly narrow?: readonly HostPair[] | undefined;
}

export interface HostPair {
  readonly from: string;
  readonly to: string;
}

export interface MigrationRecord extends Omit<MigrationStart, 'fromNodes' | 'toNodes'> {
  readonly id: number;
  /** Null in records of earlier versions. */
  readonly fromNodes: Readonly<Record<string, string>> | null;
  readonly toNodes: Readonly<Record<string, string>> | null;
  readonly newInstance: number | null;
  readonly armedId: string | null;
  readonly drainMs: number | null;
  /** Null until the routers have been cloned. */
  readonly fromRecord: readonly string[] | null;
  readonly state: string;
  readonly outcome: Outcome | null;
  readonly startedAt: number;
  readonly finishedAt: number | null;
  readonly error: string | null;
}

/** One redirection with its planned and actual instants (Unix ms on the controller's clock). */
export interface RedirectionRecord {
  readonly gateway: GatewayName;
  readonly plannedAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly lagMs: number;
  readonly executionMs: number;
  readonly clockBoundMs: number;
}

/** A link of a moving router whose other end now sends to another node of the router. */
export interface FlipRecord {
  readonly router: RouterName;
  /** The router or gateway at the other end. */
  readonly neighbour: string;
  readonly to: NodeName;
  /** Of an armed flip, which the journal does not keep. */
  readonly plannedAt?: number;
  /**
   * Unix ms by the controller's clock: when it asked for the flip, and when it had the answer; of an armed flip, when
   * it began and ended at the neighbour.
   */
  readonly startedAt: number;
  readonly finishedAt: number;
}

export interface FlowRecord {
  readonly from: string;
  readonly to: string;
  readonly sent: number;
  readonly received: number;
  /** Lost on the way. */
  readonly lost: number;
  /** Arrived at the receiving node, but its socket buffer was full. */
  readonly receiverDropped: number;
  readonly reordered: number;
  readonly duplicated: number;
  readonly maxGapMs: number;
  /** One-way latency, end host to end host; null if nothing arrived. */
  readonly minLatencyMs: number | null;
  readonly maxLatencyMs: number | null;
  /** By the loss model; null if the migration ended before it had a schedule, or the old path delivered nothing. */
  readonly predictedLost: number | null;
  readonly predictedAddedDelayMs: number | null;
}

/** A phase with its instants (Unix ms). An interrupted phase lasts until the migration continues. */
export interface PhaseRecord {
  readonly name: string;
  readonly startedAt: number;
  readonly finishedAt: number | null;
}

/** The complete record of a migration. */
export interface MigrationDetail extends MigrationRecord {
  readonly phases: PhaseRecord[];
  readonly redirections: RedirectionRecord[];
  readonly flips: FlipRecord[];
  readonly flows: FlowRecord[];
}

/** The migrations with their phases, redirections and results. */
export interface MigrationStore {
  start(migration: MigrationStart): number;
  /** Records that a phase begins and the previous one ends. */
  phase(id: number, name: string, at: number): void;
  /** Records progress, before the migration acts on it. */
  progress(id: number, progress: MigrationProgress): void;
  find(id: number): MigrationRecord | undefined;
  detail(id: number): MigrationDetail | undefined;
  /** Migrations that were interrupted, or could not be undone completely, oldest first. */
  unfinished(slice?: string, vn?: string): MigrationRecord[];
  finish(id: number, outcome: Outcome, at: number, error?: string): void;
  saveRedirections(id: number, redirections: readonly RedirectionRecord[]): void;
  addFlip(id: number, flip: FlipRecord): void;
  saveFlows(id: number, flows: readonly FlowRecord[]): void;
  /** Newest first. */
  list(slice?: string, limit?: number): MigrationRecord[];
  /** Migrations that started after the migration `id`, oldest first; 0: from the first one. */
  after(id: number, limit: number): MigrationRecord[];
  /** The id of the newest migration; 0 if there is none. */
  lastId(): number;
}

const select = `select id, slice, vn, from_placement as "from", to_placement as "to", control, schedule, urpf, state, outcome,
  started_at as startedAt, finished_at as finishedAt, error, options, urpf_before as urpfBefore, old_instance as oldInstance,
  from_nodes as fromNodes, to_nodes as toNodes, new_instance as newInstance, armed_id as armedId, drain_ms as drainMs, from_record as fromRecord
  from migrations`;

type JsonColumn = 'fromRecord' | 'fromNodes' | 'toNodes';

type Row = Omit<MigrationRecord, JsonColumn> & Readonly<Record<JsonColumn, string | null>>;

function recordOf({ fromRecord, fromNodes, toNodes, ...row }: Row): MigrationRecord {
  const parsed = <T>(text: string | null) => (text === null ? null : (JSON.parse(text) as T));
  return { ...row, fromRecord: parsed(fromRecord), fromNodes: parsed(fromNodes), toNodes: parsed(toNodes) };
}

export function migrationStore(db: Db): MigrationStore {
  const endPhase = db.prepare(
    'update migration_phases set finished_at = ? where migration_id = ? and finished_at is null',
  );
  const find = (id: number) => {
    const row = db.prepare<[number], Row>(`${select} where id = ?`).get(id);
    return row === undefined ? undefined : recordOf(row);
  };
  return {
    start: ({ slice, vn, from, to, fromNodes, toNodes, control, schedule, urpf, options, urpfBefore, oldInstance }) =>
      db
        .prepare<unknown[], number>(
          `insert into migrations
             (slice, vn, from_placement, to_placement, from_nodes, to_nodes, control, schedule, urpf, options, urpf_before,
              old_instance, state, started_at)
           values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'add nodes', ?) returning id`,
        )
        .pluck()
        .get(
          slice,
          vn,
          from,
          to,
          jsonOrNull(fromNodes),
          jsonOrNull(toNodes),
          control,
          schedule,
          urpf,
          options,
          urpfBefore,
          oldInstance,
          Date.now(),
        )!,
    phase: db.transaction((id: number, name: string, at: number) => {
      endPhase.run(at, id);
      db.prepare(
        `insert into migration_phases (migration_id, ordinal, name, started_at)
         select ?, coalesce(max(ordinal) + 1, 0), ?, ? from migration_phases where migration_id = ?`,
      ).run(id, name, at, id);
      db.prepare('update migrations set state = ?, outcome = null, finished_at = null where id = ?').run(name, id);
    }),
    progress: (id, { newInstance, armedId, drainMs, fromRecord, baseline = {}, controlPlanes }) => {
      db.prepare(
        `update migrations set new_instance = coalesce(?, new_instance), armed_id = coalesce(?, armed_id),
           drain_ms = coalesce(?, drain_ms), from_record = coalesce(?, from_record),
           options = json_patch(options, ?) where id = ?`,
      ).run(
        newInstance ?? null,
        armedId ?? null,
        drainMs ?? null,
        jsonOrNull(fromRecord),
        JSON.stringify({ ...baseline, ...(controlPlanes === undefined ? {} : { controlPlanes }) }),
        id,
      );
    },
    find,
    detail: (id) => {
      const record = find(id);
      return record === undefined ? undefined : { ...record, ...partsOf(db, id) };
    },
    unfinished: (slice, vn) =>
      db
        .prepare<unknown[], Row>(
          // A method that moves routers may fail between two of them, when its only instance is active: some have
          // moved, others not. In a database of an earlier version another migration may have followed, from what this
          // one left.
          `${select} where (? is null or slice = ?) and (? is null or vn = ?) and (outcome is null or (outcome = 'failed' and exists
             (select 1 from instances i where i.id in (old_instance, new_instance)
               and (i.state <> 'active' or (json_extract(options, '$.method') in ('vroom', 'flow', 'clone', 'live') and not exists
                 (select 1 from migrations m where m.slice = migrations.slice and m.vn = migrations.vn and m.id > migrations.id)
               ))))) order by id`,
        )
        .all(slice ?? null, slice ?? null, vn ?? null, vn ?? null)
        .map(recordOf),
    finish: db.transaction((id: number, outcome: Outcome, at: number, error?: string) => {
      endPhase.run(at, id);
      // A failed migration stays in its phase, from which it can continue.
      db.prepare(
        `update migrations set state = iif(? = 'failed', state, ?), outcome = ?, finished_at = ?, error = ? where id = ?`,
      ).run(outcome, outcome, outcome, at, error ?? null, id);
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
    addFlip: (id, { router, neighbour, to, startedAt, finishedAt }) => {
      db.prepare(
        `insert into flips (migration_id, ordinal, router, neighbour, to_node, started_at, finished_at)
         select ?, coalesce(max(ordinal) + 1, 0), ?, ?, ?, ?, ? from flips where migration_id = ?`,
      ).run(id, router, neighbour, to, startedAt, finishedAt, id);
    },
    saveFlows: db.transaction((id: number, flows: readonly FlowRecord[]) => {
      const insert = db.prepare(
        `insert or replace into flow_results (migration_id, from_host, to_host, sent, received, lost, reordered, duplicated, max_gap_ms, min_latency_ms,
           max_latency_ms, predicted_lost, predicted_added_delay_ms, receiver_dropped)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
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
        insert.run(id, f.from, f.to, ...counted, f.predictedLost, f.predictedAddedDelayMs, f.receiverDropped);
      }
    }),
    list: (slice, limit = 20) =>
      db
        .prepare<unknown[], Row>(`${select} where ? is null or slice = ? order by id desc limit ?`)
        .all(slice ?? null, slice ?? null, limit)
        .map(recordOf),
    after: (id, limit) =>
      db.prepare<unknown[], Row>(`${select} where id > ? order by id limit ?`).all(id, limit).map(recordOf),
    lastId: () => db.prepare<[], number>('select coalesce(max(id), 0) from migrations').pluck().get()!,
  };
}

function partsOf(db: Db, id: number): Pick<MigrationDetail, 'phases' | 'redirections' | 'flips' | 'flows'> {
  const all = <T>(columns: string, table: string, order: string) =>
    db.prepare<[number], T>(`select ${columns} from ${table} where migration_id = ? order by ${order}`).all(id);
  return {
    phases: all<PhaseRecord>('name, started_at as startedAt, finished_at as finishedAt', 'migration_phases', 'ordinal'),
    redirections: all<RedirectionRecord>(
      `gateway, planned_at as plannedAt, started_at as startedAt, finished_at as finishedAt, lag_ms as lagMs,
       execution_ms as executionMs, clock_bound_ms as clockBoundMs`,
      'redirections',
      'ordinal',
    ),
    flips: all<FlipRecord>(
      'router, neighbour, to_node as "to", started_at as startedAt, finished_at as finishedAt',
      'flips',
      'ordinal',
    ),
    flows: all<FlowRecord>(
      `from_host as "from", to_host as "to", sent, received, lost, receiver_dropped as receiverDropped, reordered, duplicated, max_gap_ms as maxGapMs,
       min_latency_ms as minLatencyMs, max_latency_ms as maxLatencyMs, predicted_lost as predictedLost,
       predicted_added_delay_ms as predictedAddedDelayMs`,
      'flow_results',
      'rowid',
    ),
  };
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
