/** Status, health and events as plain JSON, for `--json` and the HTTP API: instants are ISO 8601 in UTC. */
import { isoInstant, isoInstantOrNull } from '../../model/instant.ts';
import type { StoredEvent } from '../../store/events.ts';
import type { HealthRecord } from '../../store/health.ts';
import type { SliceStatus } from '../status.ts';
import { type MigrationView, migrationView } from './migration.ts';

export interface EventView extends Omit<StoredEvent, 'at'> {
  readonly at: string;
}

export interface HealthView extends Omit<HealthRecord, 'since'> {
  readonly since: string;
}

export interface SliceStatusView extends Omit<SliceStatus, 'migrations' | 'events' | 'watchedAt' | 'health'> {
  readonly migrations: MigrationView[];
  readonly events: EventView[];
  readonly watchedAt: string | null;
  readonly health: HealthView[];
}

export function eventView(event: StoredEvent): EventView {
  return { ...event, at: isoInstant(event.at) };
}

export function healthView(record: HealthRecord): HealthView {
  return { ...record, since: isoInstant(record.since) };
}

export function sliceStatusView(status: SliceStatus): SliceStatusView {
  return {
    ...status,
    migrations: status.migrations.map(migrationView),
    events: status.events.map(eventView),
    watchedAt: isoInstantOrNull(status.watchedAt),
    health: status.health.map(healthView),
  };
}
