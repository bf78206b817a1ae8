import type { Context } from '../controller/base/context.ts';
import { chooseVn, isOn } from '../controller/base/resolve.ts';
import { type MigrateOptions, type MigrateResult, migrate } from '../controller/migrate.ts';
import { resume } from '../controller/recover.ts';
import { VnmError } from '../model/errors.ts';

/** Runs the migration of a job, after finishing an interrupted one of the same VN: there may be no operator for it. */
export async function migrateForJob(
  context: Context,
  { slice: name, vn: vnName }: { readonly slice: string; readonly vn: string },
  options: MigrateOptions,
): Promise<MigrateResult> {
  const slice = context.store.slices.find(name);
  if (slice === undefined) throw new VnmError('not-found', `slice '${name}' is no longer in the database`);
  const vn = chooseVn(slice, vnName);
  const [interrupted] = context.store.migrations.unfinished(name, vnName);
  if (interrupted !== undefined) {
    const result = await resume(context, slice, vn);
    const isThere = options.router === undefined && isOn(context.store, slice, vn, options.to);
    if (result.outcome === 'completed' && isThere) return result;
  }
  return migrate(context, slice, vn, options);
}
