/**
 * What a migration that was interrupted has done, and how it goes on: `resume` finishes it, `rollback` undoes it.
 *
 *                resume: anew        resume: on             resume: on
 *               .-----.            .-------------.         .----------.
 *               v     |            |             v         |          v
 *     start -> before ---> redirecting -----> retiring ----+----> completed
 *                |    ^         |
 *                |    '---------' rollback: the gateways first
 *                v rollback
 *           rolled-back
 *
 * Every arrow can be broken and taken again: all that is done on nodes may be done twice. `before`: traffic is on the old instance,
 * whatever there is of the new one; also while that is being taken away. `redirecting`: each gateway sends into one of the two, and
 * both are whole. `retiring`: all send into the new one, and the old one may not be whole any more, so there is no way back.
 */
import { VnmError } from '../../model/errors.ts';
import type { MigrationRecord } from '../../store/migrations.ts';
import type { Store } from '../../store/store.ts';
import type { MigrateOptions } from './types.ts';

export type Stage = 'before' | 'redirecting' | 'retiring';

const stages: Record<string, Stage> = {
  redirect: 'redirecting',
  verify: 'redirecting',
  drain: 'redirecting',
  'roll back': 'redirecting',
  retire: 'retiring',
};

/** `state`: the last phase that was begun. */
export function stageOf(state: string): Stage {
  return stages[state] ?? 'before';
}

/** What goes into the journal beside the migration's own columns. */
export function optionsToJson({ offsetsMs, ...options }: MigrateOptions): string {
  return JSON.stringify({ ...options, ...(offsetsMs === undefined ? {} : { offsetsMs: [...offsetsMs] }) });
}

export function optionsOf({ options }: MigrationRecord): MigrateOptions {
  const { offsetsMs, ...rest } = JSON.parse(options) as MigrateOptions & { offsetsMs?: [string, number][] };
  return offsetsMs === undefined ? rest : { ...rest, offsetsMs: new Map(offsetsMs) };
}

/** How an unfinished migration is told of, in one line. */
export function describeUnfinished({ slice, vn, from, to, state }: MigrationRecord): string {
  const stage = stageOf(state);
  const where = {
    before: `its traffic is on '${from}'`,
    redirecting: `its traffic is on '${from}' or '${to}', both are up`,
    retiring: `its traffic is on '${to}'`,
  }[stage];
  return `the migration of VN '${vn}' of slice '${slice}' from '${from}' to '${to}' was interrupted (${state}): ${where}`;
}

export const howToGoOn = (slice: string) => `pl-vnm resume ${slice} finishes it, pl-vnm rollback ${slice} undoes it`;

/** The interrupted migration of a VN. Throws VnmError `not-found`. */
export function unfinishedMigration(store: Store, slice: string, vn: string): MigrationRecord {
  const record = store.migrations.unfinished(slice, vn).at(-1);
  if (record !== undefined) return record;
  throw new VnmError('not-found', `no migration of VN '${vn}' of slice '${slice}' was interrupted`, {
    hint: `pl-vnm status ${slice} shows what there is`,
  });
}
