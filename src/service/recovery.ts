/** Migrations that were interrupted are finished when the service starts, and those of its jobs before they begin anew. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../controller/context.ts';
import { isLocked } from '../controller/lock.ts';
import { describeUnfinished } from '../controller/migration/journal.ts';
import { resume } from '../controller/recover.ts';
import { chooseVn } from '../controller/resolve.ts';
import type { MigrationRecord } from '../store/migrations.ts';

/** From one attempt to the next: a node that it needs may be away. */
const retryMs = 15_000;

/** Until none of those that are unfinished now is left, or somebody else has taken them, or the context's signal. */
export async function resumeInterrupted(
  context: Context,
  onError: (migration: MigrationRecord, error: unknown) => void,
): Promise<void> {
  const { store, signal } = context;
  const ids = new Set(store.migrations.unfinished().map(({ id }) => id));
  const told = new Set<number>();
  while (!signal?.aborted) {
    const left = store.migrations.unfinished().filter(({ id }) => ids.has(id));
    if (left.length === 0) return;
    for (const migration of left) {
      if (isLocked(context, migration.slice, migration.vn)) continue;
      if (!told.has(migration.id))
        store.events.add(migration.slice, 'migration-resumed', describeUnfinished(migration));
      told.add(migration.id);
      try {
        await resumeOne(context, migration);
      } catch (error) {
        if (!signal?.aborted) onError(migration, error);
      }
    }
    if (store.migrations.unfinished().some(({ id }) => ids.has(id)))
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
  }
}

async function resumeOne(context: Context, { slice: name, vn }: MigrationRecord): Promise<void> {
  const slice = context.store.slices.find(name);
  if (slice === undefined) throw new Error(`slice '${name}' is in the database no more`);
  await resume(context, slice, chooseVn(slice, vn));
}
