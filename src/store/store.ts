import { openDatabase } from './database.ts';
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

/** Opens or creates the database; see `openDatabase` for errors. */
export function openStore(path: string): Store {
  const db = openDatabase(path);
  return {
    path,
    slices: sliceStore(db),
    instances: instanceStore(db),
    migrations: migrationStore(db),
    testbeds: testbedStore(db),
    events: eventStore(db),
    health: healthStore(db),
    locks: lockStore(db),
    jobs: jobStore(db),
    prune: (keeping, now) => prune(db, keeping, now),
    close: () => {
      db.close();
    },
  };
}
