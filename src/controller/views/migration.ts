/**
 * Migrations as plain JSON, for `--json` and the HTTP API: instants are ISO 8601 in UTC, options are an object. What `migrate`
 * answers is a part of what is answered of a migration later on.
 */
import { isoInstant, isoInstantOrNull } from '../../model/instant.ts';
import type {
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
import { optionsOf, yardstickOf } from '../migration/journal.ts';
import { type MigrateResult, type Move, movesOf } from '../migration/types.ts';

export interface RedirectionView extends Omit<RedirectionRecord, 'plannedAt' | 'startedAt' | 'finishedAt'> {
  readonly plannedAt: string;
  readonly startedAt: string;
  readonly finishedAt: string;
}

export interface MigrateResultView extends Omit<MigrateResult, 'redirections'> {
  readonly redirections: RedirectionView[];
}

export interface MigrationView extends Omit<MigrationRecord, 'startedAt' | 'finishedAt' | 'options'> {
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** As they were given to `migrate`. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface PhaseView {
  readonly name: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** Null while it lasts. */
  readonly ms: number | null;
}

/** What `migrate` answers, and what the journal has next to it. */
export interface MigrationDetailView extends MigrationView {
  readonly granularity: string;
  /** Of its phases together, without the one that lasts. */
  readonly durationMs: number;
  readonly phases: PhaseView[];
  /** In a record of an earlier version by the placements that the slice has now; empty when it has them no more. */
  readonly moves: Move[];
  readonly redirections: RedirectionView[];
  readonly flows: FlowRecord[];
  readonly fromRecord: readonly string[];
  /** Whether a signal stopped it, or its process died. */
  readonly interrupted: boolean;
  /** Null where it is not known: only `migrate` itself says which nodes were unreachable when it failed. */
  readonly away: string[] | null;
  /** Those that did not reach each other before. */
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

export function migrateResultView(result: MigrateResult): MigrateResultView {
  return { ...result, redirections: result.redirections.map(redirectionView) };
}

export function migrationView(record: MigrationRecord): MigrationView {
  const { offsetsMs, method: _, ...rest } = optionsOf(record);
  const options = record.to === null ? rest : { to: record.to, ...rest };
  return {
    ...record,
    startedAt: isoInstant(record.startedAt),
    finishedAt: isoInstantOrNull(record.finishedAt),
    options: offsetsMs === undefined ? options : { ...options, offsetsMs: Object.fromEntries(offsetsMs) },
  };
}

/** All that the database has of a migration; undefined when there is none with that id. */
export function migrationDetailView(context: Pick<Context, 'store'>, id: number): MigrationDetailView | undefined {
  const { store } = context;
  const detail = store.migrations.detail(id);
  if (detail === undefined) return undefined;
  const { phases, redirections, flows, ...record } = detail;
  const views = phases.map(phaseView);
  const { unproven } = yardstickOf(record);
  return {
    ...migrationView(record),
    granularity: optionsOf(record).granularity,
    durationMs: views.reduce((sum, { ms }) => sum + (ms ?? 0), 0),
    phases: views,
    moves: movesIn(store, detail),
    redirections: redirections.map(redirectionView),
    flows,
    fromRecord: record.fromRecord ?? [],
    interrupted: outcomeOf(context, record) === 'interrupted' || wasStopped(record),
    away: record.outcome === 'completed' || record.outcome === 'rolled-back' ? [] : null,
    ...(unproven.length === 0 ? {} : { unproven }),
  };
}

/** How it ended; while it has not, whether a process works on it. */
export function outcomeOf(
  context: Pick<Context, 'store'>,
  { outcome, slice, vn }: MigrationRecord,
): Outcome | 'running' | 'interrupted' {
  return outcome ?? (isLocked(context, slice, vn) ? 'running' : 'interrupted');
}

/** Recognizes the reasons that the program gives when it is asked to end. */
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
