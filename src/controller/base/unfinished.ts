import { VnmError } from '../../model/errors.ts';
import { describePlacement } from '../../model/slice.ts';
import type { MigrationRecord } from '../../store/migrations.ts';
import { methodOf, movesRouters, type Stage, stageOf } from './phase.ts';

/** Describes an unfinished migration in one line. */
export function describeUnfinished(migration: MigrationRecord): string {
  const { slice, vn, state } = migration;
  const { from, to } = endsOf(migration);
  const whereBy = {
    before: `its traffic is on ${from}`,
    redirecting: `its traffic is on ${from} or ${to}, and both are up`,
    retiring: `its traffic is on ${to}`,
  };
  const stage = knownStageOf(migration);
  const where =
    stage === undefined
      ? 'this version does not know that phase'
      : movesRouters(methodOf(migration))
        ? 'each router is on its old or its new node, those that were moving perhaps on both, and all forward'
        : whereBy[stage];
  return `the migration of VN '${vn}' of slice '${slice}' from ${from} to ${to} was interrupted (${state}): ${where}`;
}

/** Describes the two placements of a migration. Records of earlier versions have no nodes, but always names. */
export function endsOf(migration: MigrationRecord): { readonly from: string; readonly to: string } {
  const describe = (name: string | null, nodes: MigrationRecord['toNodes']) =>
    describePlacement({ name, placement: new Map(Object.entries(nodes ?? {})) });
  return {
    from: describe(migration.from, migration.fromNodes),
    to: describe(migration.to, migration.toNodes),
  };
}

function knownStageOf(migration: MigrationRecord): Stage | undefined {
  try {
    return stageOf(migration);
  } catch (error) {
    if (error instanceof VnmError && error.code === 'unsupported') return undefined;
    throw error;
  }
}

export const recoveryHint = (slice: string) =>
  `run pl-vnm resume ${slice} to finish it, or pl-vnm rollback ${slice} to undo it`;
