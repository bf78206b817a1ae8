/** Finishes interrupted migrations: all when the service starts, and those of a job before it begins again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../controller/base/context.ts';
import { isLocked } from '../controller/base/lock.ts';
import { chooseVn } from '../controller/base/resolve.ts';
import { describeUnfinished } from '../controller/base/unfinished.ts';
import { resume } from '../controller/recover.ts';
import { VnmError } from '../model/errors.ts';
import type { MigrationRecord } from '../store/migrations.ts';

/** From one attempt to the next: a node that it needs may be unreachable. */
const retryMs = 15_000;

/**
 * Until none of those that are unfinished now is left, or somebody else has taken them, or the context's signal. Never throws:
 * `onError` gets what went wrong, of a migration or of the database, and it is tried again.
 */
export async function resumeInterrupted(
  context: Context,
  onError: (error: unknown, migration?: MigrationRecord) => void,
): Promise<void> {
  const { store, signal } = context;
  const told = new Set<number>();
  let ids: ReadonlySet<number> | undefined;
  while (!signal?.aborted) {
    try {
      const unfinished = store.migrations.unfinished();
      ids ??= new Set(unfinished.map(({ id }) => id));
      const left = unfinished.filter(({ id }) => ids!.has(id));
      if (left.length === 0) return;
      for (const migration of left) await attempt(context, migration, told, onError);
    } catch (error) {
      onError(error);
    }
    await sleep(retryMs, undefined, { signal }).catch(() => undefined);
  }
}

async function attempt(
  context: Context,
  migration: MigrationRecord,
  told: Set<number>,
  onError: (error: unknown, migration?: MigrationRecord) => void,
): Promise<void> {
  if (isLocked(context, migration.slice, migration.vn)) return;
  if (!told.has(migration.id))
    context.store.events.add(migration.slice, 'migration-resumed', describeUnfinished(migration));
  told.add(migration.id);
  try {
    await resumeOne(context, migration);
  } catch (error) {
    if (!context.signal?.aborted) onError(error, migration);
  }
}

async function resumeOne(context: Context, { slice: name, vn }: MigrationRecord): Promise<void> {
  const slice = context.store.slices.find(name);
  if (slice === undefined) throw new VnmError('not-found', `slice '${name}' is in the database no more`);
  await resume(context, slice, chooseVn(slice, vn));
}
