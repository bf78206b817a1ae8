/**
 * How far an interrupted migration got, and how it continues: `resume` finishes it, `rollback` undoes it.
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
 * Every arrow can be interrupted and repeated: everything on nodes may be done twice. `before`: traffic is on the old
 * instance, whatever exists of the new one; also while that is being removed. `redirecting`: each gateway sends into
 * one of the two, and both are complete. `retiring`: all gateways send into the new one, and the old one may be
 * incomplete, so there is no way back.
 */
import * as z from 'zod';
import { VnmError } from '../../model/errors.ts';
import type { RouterName } from '../../model/names.ts';
import type { Baseline, MigrationRecord } from '../../store/migrations.ts';
import type { Store } from '../../store/store.ts';
import { methodOf, usualMethod } from '../base/phase.ts';
import { type ControlPlaneName, controlPlaneNames } from './control-planes/names.ts';
import { migrationOptions } from './options.ts';
import type { MoveOptions } from './types.ts';

/** How the routing daemons of moving routers move, by router. */
type RecordedWays = Readonly<Record<string, ControlPlaneName>>;

/** Returns the options that the journal has no columns for, and how routing daemons move. */
export function optionsToJson({
  offsetsMs,
  method = usualMethod,
  ...options
}: MoveOptions & { readonly controlPlanes?: RecordedWays }): string {
  return JSON.stringify({ ...options, method, ...(offsetsMs === undefined ? {} : { offsetsMs: [...offsetsMs] }) });
}

/** Options that are newer than a record have their default values. */
const recordedOptions = z.object({
  ...migrationOptions.shape,
  offsetsMs: z.array(z.tuple([z.string(), z.number()])).exactOptional(),
});

/** Throws VnmError `unsupported` for a method that this program does not know. */
export function optionsOf(migration: Pick<MigrationRecord, 'options'>): MoveOptions {
  const method = methodOf(migration);
  const { offsetsMs, ...rest } = recordedOptions.parse(JSON.parse(migration.options));
  return {
    ...rest,
    method,
    ...(offsetsMs === undefined ? {} : { offsetsMs: new Map(offsetsMs) }),
  };
}

/** Reads the baseline of a migration. In records of earlier versions no pair is `unproven`. */
export function baselineOf({ options }: Pick<MigrationRecord, 'options'>): Baseline {
  const { unproven = [], byEcho, narrow } = JSON.parse(options) as Partial<Baseline>;
  return { unproven, byEcho, narrow };
}

const recordedWays = z.object({
  controlPlane: z.enum(controlPlaneNames).optional(),
  controlPlanes: z.record(z.string(), z.enum(controlPlaneNames)).default({}),
});

/**
 * How the routing daemon of a router moves, and whether the user asked for that. Records of earlier versions, in which
 * nothing was chosen, mean `graceful`.
 */
export function controlPlaneOf(
  { options }: Pick<MigrationRecord, 'options'>,
  router: RouterName,
): { readonly name: ControlPlaneName; readonly isAsked: boolean } {
  const { controlPlane, controlPlanes } = recordedWays.parse(JSON.parse(options));
  return { name: controlPlanes[router] ?? controlPlane ?? 'graceful', isAsked: controlPlane !== undefined };
}

/** Whether the baseline was recorded before the migration was interrupted. */
export function hasBaseline({ options }: Pick<MigrationRecord, 'options'>): boolean {
  return 'unproven' in (JSON.parse(options) as object);
}

/**
 * Returns the interrupted migration of a VN, if any. Throws VnmError `not-found` if there is none and the VN is not
 * installed.
 */
export function unfinishedMigration(store: Store, slice: string, vn: string): MigrationRecord | undefined {
  const record = store.migrations.unfinished(slice, vn).at(-1);
  if (record !== undefined || store.instances.active(slice, vn) !== undefined) return record;
  throw new VnmError('not-found', `no migration of VN '${vn}' of slice '${slice}' was interrupted`, {
    hint: `run pl-vnm status ${slice} to see what is installed`,
  });
}
