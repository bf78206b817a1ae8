import { isoInstant } from '../model/instant.ts';
import type { StoredEvent } from '../store/events.ts';
import type { MigrationRecord } from '../store/migrations.ts';
import type { Context } from './base/context.ts';
import { outcomeOf } from './views/migration.ts';

/** One thing that was done to a slice: a migration, or an action of another command or of the service. */
export interface HistoryEntry {
  /** ISO 8601. */
  readonly at: string;
  readonly slice: string;
  /** `migrate`, or the kind of the event. */
  readonly what: string;
  /** The id of a migration, for `show`; null for other entries. */
  readonly id: number | null;
  readonly vn: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly outcome: string | null;
  /** The phase that a migration is in, or failed in; its outcome when it has ended. */
  readonly state: string | null;
  readonly durationMs: number | null;
  /** Packets of the slice's flows; null if none were counted. */
  readonly sent: number | null;
  readonly lost: number | null;
  /** Why a migration did not complete, or what was done. */
  readonly message: string | null;
}

/** Kinds of events that are actions. Migrations are not among them: they have a journal of their own. */
const done = [
  'installed',
  'uninstalled',
  'reconciled',
  'repaired',
  'repair-failed',
  'trial-removed',
  'migration-resumed',
  'rollback-incomplete',
];

/** The latest actions on a slice, or on all slices, newest first. */
export function history(context: Pick<Context, 'store'>, slice: string | undefined, limit: number): HistoryEntry[] {
  const { migrations, events } = context.store;
  const entries = [
    ...migrations.list(slice, limit).map((record) => ({ at: record.startedAt, entry: ofMigration(context, record) })),
    ...events.ofKinds(done, slice, limit).map((event) => ({ at: event.at, entry: ofEvent(event) })),
  ];
  return entries
    .toSorted((a, b) => b.at - a.at)
    .slice(0, limit)
    .map(({ entry }) => entry);
}

function ofMigration(context: Pick<Context, 'store'>, record: MigrationRecord): HistoryEntry {
  const { id, slice, vn, from, to, state, startedAt, finishedAt, error } = record;
  const flows = context.store.migrations.detail(id)?.flows ?? [];
  const total = (key: 'sent' | 'lost') => (flows.length === 0 ? null : flows.reduce((sum, flow) => sum + flow[key], 0));
  return {
    at: isoInstant(startedAt),
    slice,
    what: 'migrate',
    ...{ id, vn, from, to, outcome: outcomeOf(context, record), state },
    durationMs: finishedAt === null ? null : finishedAt - startedAt,
    sent: total('sent'),
    lost: total('lost'),
    message: error,
  };
}

function ofEvent({ at, slice, kind, message }: StoredEvent): HistoryEntry {
  const nothing = { id: null, vn: null, from: null, to: null, outcome: null, state: null };
  const counted = { durationMs: null, sent: null, lost: null };
  return { at: isoInstant(at), slice: slice ?? '', what: kind, ...nothing, ...counted, message };
}
