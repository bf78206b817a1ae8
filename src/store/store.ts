import { closeDatabase, openDatabase } from './database.ts';
import { withDatabaseErrors } from './database-error.ts';
import { type EventStore, eventStore } from './events.ts';
import { type HealthStore, healthStore } from './health.ts';
import { type InstanceStore, instanceStore } from './instances.ts';
import { type JobStore, jobStore } from './jobs.ts';
import { type LockStore, lockStore } from './locks.ts';
import { type MigrationStore, migrationStore } from './migrations.ts';
import { prune, type Retention } from './prune.ts';
import { type SliceStore, sliceStore } from './slices.ts';
import { type TestbedStore, testbedStore } from './testbeds.ts';

/** The controller's database in one SQLite file: intent, what is installed, and what happened. */
export interface Store {
  readonly path: string;
  readonly slices: SliceStore;
  readonly instances: InstanceStore;
  readonly migrations: MigrationStore;
  readonly testbeds: TestbedStore;
  readonly events: EventStore;
  readonly health: HealthStore;
  readonly locks: LockStore;
  readonly jobs: JobStore;
  /** Removes the history beyond the retention, and returns the number of removed records. */
  prune(retention: Retention, now: number): number;
  close(): void;
}

/**
 * Opens or creates the database; throws as `openDatabase`. If nothing is written to a new database, closing it removes
 * the file. Every method throws VnmError `failed` if the database fails (`asDatabaseError`).
 */
export function openStore(path: string): Store {
  const { db, isNew } = openDatabase(path);
  const wrapped = <T extends object>(methods: T) => withDatabaseErrors(methods, path);
  return {
    path,
    slices: wrapped(sliceStore(db)),
    instances: wrapped(instanceStore(db)),
    migrations: wrapped(migrationStore(db)),
    testbeds: wrapped(testbedStore(db)),
    events: wrapped(eventStore(db)),
    health: wrapped(healthStore(db)),
    locks: wrapped(lockStore(db)),
    jobs: wrapped(jobStore(db)),
    ...wrapped({ prune: (retention: Retention, now: number) => prune(db, retention, now) }),
    close: () => closeDatabase(db, isNew ? path : undefined),
  };
}
