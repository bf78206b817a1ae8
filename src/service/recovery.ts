/** Finishes the migrations that were interrupted before the service started. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../controller/base/context.ts';
import { isLocked } from '../controller/base/lock.ts';
import { chooseVn } from '../controller/base/resolve.ts';
import { describeUnfinished } from '../controller/base/unfinished.ts';
import { resume } from '../controller/recover.ts';
import { VnmError } from '../model/errors.ts';
import type { MigrationRecord } from '../store/migrations.ts';

/** The time between two attempts: a node that a migration needs may be unreachable. */
const retryMs = 15_000;

/**
 * Retries until every migration that is unfinished now has ended, or until the context's signal aborts. Skips a
 * migration whose VN another process has locked. Never throws: passes each error, of a migration or of the database, to
 * `onError`.
 */
export async function resumeInterrupted(
  context: Context,
  onError: (error: unknown, migration?: MigrationRecord) => void,
): Promise<void> {
  const { store, signal } = context;
  const reported = new Set<number>();
  let ids: ReadonlySet<number> | undefined;
  while (!signal?.aborted) {
    try {
      const unfinished = store.migrations.unfinished();
      ids ??= new Set(unfinished.map(({ id }) => id));
      const left = unfinished.filter(({ id }) => ids!.has(id));
      if (left.length === 0) return;
      for (const migration of left) await attempt(context, migration, reported, onError);
    } catch (error) {
      onError(error);
    }
    await sleep(retryMs, undefined, { signal }).catch(() => undefined);
  }
}

async function attempt(
  context: Context,
  migration: MigrationRecord,
  reported: Set<number>,
  onError: (error: unknown, migration?: MigrationRecord) => void,
): Promise<void> {
  if (isLocked(context, migration.slice, migration.vn)) return;
  if (!reported.has(migration.id))
    context.store.events.add(migration.slice, 'migration-resumed', describeUnfinished(migration));
  reported.add(migration.id);
  try {
    await resumeOne(context, migration);
  } catch (error) {
    if (!context.signal?.aborted) onError(error, migration);
  }
}

async function resumeOne(context: Context, { slice: name, vn }: MigrationRecord): Promise<void> {
  const slice = context.store.slices.find(name);
  if (slice === undefined) throw new VnmError('not-found', `slice '${name}' is no longer in the database`);
  await resume(context, slice, chooseVn(slice, vn));
}
