import { closeDatabase, openDatabase } from './database.ts';
import { telling } from './database-error.ts';
import { type EventStore, eventStore } from './events.ts';
import { type HealthStore, healthStore } from './health.ts';
import { type InstanceStore, instanceStore } from './instances.ts';
import { type JobStore, jobStore } from './jobs.ts';
import { type LockStore, lockStore } from './locks.ts';
import { type MigrationStore, migrationStore } from './migrations.ts';
import { type Keeping, prune } from './prune.ts';
import { type SliceStore, sliceStore } from './slices.ts';
import { type TestbedStore, testbedStore } from './testbeds.ts';

/** The controller's memory: intent, what is installed, and what happened. One SQLite file. */
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
  /** Drops what is older than what is kept; answers how many rows went. */
  prune(keeping: Keeping, now: number): number;
  close(): void;
}

/**
 * Opens or creates the database; see `openDatabase` for errors. One that was made here, and to which nothing was written, goes when it
 * is closed. Every method throws VnmError `failed` when the database does (`asDatabaseError`).
 */
export function openStore(path: string): Store {
  const { db, isNew } = openDatabase(path);
  const told = <T extends object>(methods: T) => telling(methods, path);
  return {
    path,
    slices: told(sliceStore(db)),
    instances: told(instanceStore(db)),
    migrations: told(migrationStore(db)),
    testbeds: told(testbedStore(db)),
    events: told(eventStore(db)),
    health: told(healthStore(db)),
    locks: told(lockStore(db)),
    jobs: told(jobStore(db)),
    ...told({ prune: (keeping: Keeping, now: number) => prune(db, keeping, now) }),
    close: () => closeDatabase(db, isNew ? path : undefined),
  };
}
