/**
 * Migrations as plain JSON, for `--json` and the HTTP API: instants are ISO 8601 in UTC, options are an object. The
 * result of `migrate` is a part of the details of a migration.
 */
import { isoInstant, isoInstantOrNull } from '../../model/instant.ts';
import type {
  FlipRecord,
  FlowRecord,
  HostPair,
  MigrationDetail,
  MigrationRecord,
  Outcome,
  PhaseRecord,
  RedirectionRecord,
} from '../../store/migrations.ts';
import type { Store } from '../../store/store.ts';
import type { Context } from '../base/context.ts';
import { isLocked } from '../base/lock.ts';
import { type MethodName, methodOf } from '../base/phase.ts';
import { baselineOf, optionsOf } from '../migration/journal.ts';
import { type MigrateResult, type Move, movesOf } from '../migration/types.ts';

export interface RedirectionView extends Omit<RedirectionRecord, 'plannedAt' | 'startedAt' | 'finishedAt'> {
  readonly plannedAt: string;
  readonly startedAt: string;
  readonly finishedAt: string;
}

export interface FlipView extends Omit<FlipRecord, 'plannedAt' | 'startedAt' | 'finishedAt'> {
  readonly plannedAt?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
}

export interface MigrateResultView extends Omit<MigrateResult, 'redirections' | 'flips'> {
  readonly redirections: RedirectionView[];
  readonly flips?: FlipView[];
}

export interface MigrationView extends Omit<MigrationRecord, 'startedAt' | 'finishedAt' | 'options'> {
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** The options of `migrate`. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface PhaseView {
  readonly name: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** Null while the phase lasts. */
  readonly ms: number | null;
}

/** The result of `migrate`, and what else the journal has. */
export interface MigrationDetailView extends MigrationView {
  readonly granularity: string;
  readonly method: MethodName;
  /** The sum of its ended phases. */
  readonly durationMs: number;
  readonly phases: PhaseView[];
  /**
   * For records of earlier versions, taken from the slice's present placements; empty if the slice no longer has them.
   */
  readonly moves: Move[];
  readonly redirections: RedirectionView[];
  readonly flips: FlipView[];
  readonly flows: FlowRecord[];
  readonly fromRecord: readonly string[];
  /** Whether a signal stopped the migration, or its process died. */
  readonly interrupted: boolean;
  /** Null if unknown: only `migrate` itself reports which nodes were unreachable when it failed. */
  readonly unreachable: string[] | null;
  /** Pairs that did not reach each other before the migration. */
  readonly unproven?: readonly HostPair[];
}

function redirectionView(redirection: RedirectionRecord): RedirectionView {
  const { plannedAt, startedAt, finishedAt } = redirection;
  return {
    ...redirection,
    plannedAt: isoInstant(plannedAt),
    startedAt: isoInstant(startedAt),
    finishedAt: isoInstant(finishedAt),
  };
}

function flipView(flip: FlipRecord): FlipView {
  const { plannedAt, startedAt, finishedAt, ...rest } = flip;
  return {
    ...rest,
    ...(plannedAt === undefined ? {} : { plannedAt: isoInstant(plannedAt) }),
    startedAt: isoInstant(startedAt),
    finishedAt: isoInstant(finishedAt),
  };
}

export function migrateResultView(result: MigrateResult): MigrateResultView {
  const { redirections, flips, ...rest } = result;
  return {
    ...rest,
    redirections: redirections.map(redirectionView),
    ...(flips === undefined ? {} : { flips: flips.map(flipView) }),
  };
}

export function migrationView(record: MigrationRecord): MigrationView {
  const { offsetsMs, ...rest } = optionsOf(record);
  const options = record.to === null ? rest : { to: record.to, ...rest };
  return {
    ...record,
    startedAt: isoInstant(record.startedAt),
    finishedAt: isoInstantOrNull(record.finishedAt),
    options: offsetsMs === undefined ? options : { ...options, offsetsMs: Object.fromEntries(offsetsMs) },
  };
}

/** Returns all that the database has of a migration; undefined if there is none with that id. */
export function migrationDetailView(context: Pick<Context, 'store'>, id: number): MigrationDetailView | undefined {
  const { store } = context;
  const detail = store.migrations.detail(id);
  if (detail === undefined) return undefined;
  const { phases, redirections, flips, flows, ...record } = detail;
  const views = phases.map(phaseView);
  const { unproven } = baselineOf(record);
  return {
    ...migrationView(record),
    granularity: optionsOf(record).granularity,
    method: methodOf(record),
    durationMs: views.reduce((sum, { ms }) => sum + (ms ?? 0), 0),
    phases: views,
    moves: movesIn(store, detail),
    redirections: redirections.map(redirectionView),
    flips: flips.map(flipView),
    flows,
    fromRecord: record.fromRecord ?? [],
    interrupted: outcomeOf(context, record) === 'interrupted' || wasStopped(record),
    unreachable: record.outcome === 'completed' || record.outcome === 'rolled-back' ? [] : null,
    ...(unproven.length === 0 ? {} : { unproven }),
  };
}

/** How a migration ended; if it has not, whether a process is working on it. */
export function outcomeOf(
  context: Pick<Context, 'store'>,
  { outcome, slice, vn }: MigrationRecord,
): Outcome | 'running' | 'interrupted' {
  return outcome ?? (isLocked(context, slice, vn) ? 'running' : 'interrupted');
}

/** Whether the recorded error is one that the program gives when it is stopped. */
function wasStopped({ outcome, error }: MigrationRecord): boolean {
  return outcome !== 'completed' && (error === 'interrupted' || error === 'the service ends');
}

function phaseView({ name, startedAt, finishedAt }: PhaseRecord): PhaseView {
  const ms = finishedAt === null ? null : finishedAt - startedAt;
  return { name, startedAt: isoInstant(startedAt), finishedAt: isoInstantOrNull(finishedAt), ms };
}

function movesIn(store: Store, { slice, vn: name, from, to, fromNodes, toNodes }: MigrationDetail): Move[] {
  const vn = store.slices.find(slice)?.vns.find((one) => one.name === name);
  const placement = (nodes: MigrationRecord['toNodes'], name: string | null) =>
    nodes === null ? vn?.placements.get(name ?? '') : new Map(Object.entries(nodes));
  const [old, fresh] = [placement(fromNodes, from), placement(toNodes, to)];
  return vn === undefined || old === undefined || fresh === undefined ? [] : movesOf(vn, old, fresh);
}
