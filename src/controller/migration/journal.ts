/**
 * What a migration that was interrupted has done, and how it goes on: `resume` finishes it, `rollback` undoes it.
 *
 *                resume: again       resume: on             resume: on
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
import * as z from 'zod';
import { VnmError } from '../../model/errors.ts';
import type { MigrationRecord, Yardstick } from '../../store/migrations.ts';
import type { Store } from '../../store/store.ts';
import { methodOf, usualMethod } from '../base/phase.ts';
import { migrationOptions } from './options.ts';
import type { MoveOptions } from './types.ts';

/** What goes into the journal next to the migration's own columns. */
export function optionsToJson({ offsetsMs, method = usualMethod, ...options }: MoveOptions): string {
  return JSON.stringify({ ...options, method, ...(offsetsMs === undefined ? {} : { offsetsMs: [...offsetsMs] }) });
}

/** Options that came later than a record are the usual ones in it. */
const recordedOptions = z.object({
  ...migrationOptions.shape,
  offsetsMs: z.array(z.tuple([z.string(), z.number()])).exactOptional(),
});

/** Throws VnmError `unsupported` for a method that this program does not know. */
export function optionsOf(migration: Pick<MigrationRecord, 'options'>): MoveOptions {
  const { offsetsMs, ...rest } = recordedOptions.parse(JSON.parse(migration.options));
  return {
    method: methodOf(migration),
    ...rest,
    ...(offsetsMs === undefined ? {} : { offsetsMs: new Map(offsetsMs) }),
  };
}

/** In a record of an earlier version no pair is `unproven`. */
export function yardstickOf({ options }: Pick<MigrationRecord, 'options'>): Yardstick {
  const { unproven = [], byEcho, narrow } = JSON.parse(options) as Partial<Yardstick>;
  return { unproven, byEcho, narrow };
}

/** The interrupted migration of a VN, if there is one. Throws VnmError `not-found` where the VN is not installed either. */
export function unfinishedMigration(store: Store, slice: string, vn: string): MigrationRecord | undefined {
  const record = store.migrations.unfinished(slice, vn).at(-1);
  if (record !== undefined || store.instances.active(slice, vn) !== undefined) return record;
  throw new VnmError('not-found', `no migration of VN '${vn}' of slice '${slice}' was interrupted`, {
    hint: `pl-vnm status ${slice} shows what there is`,
  });
}
