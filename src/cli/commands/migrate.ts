import type { Command } from 'commander';
import { chooseVn } from '../../controller/base/resolve.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type MigrateOptions, type MigrateResult, migrate } from '../../controller/migrate.ts';
import { migrateResultView } from '../../controller/views/migration.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import { addMigrationOptions } from '../migration-options.ts';
import { migrationText } from '../migration-text.ts';
import { type Output, runCommand } from '../run.ts';

export function addMigrate(program: Command): void {
  const command = program
    .command('migrate')
    .description('move a running VN to another placement')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .requiredOption('--to <placement>', 'the placement to move to; with --router, the node')
    .option('--router <name>', 'the only router to move; not with --method instance')
    .option('--vn <name>', 'which VN, when the slice has several');
  addMigrationOptions(command).action((argument: string, options: MigrateOptions & { vn?: string }, command: Command) =>
    runCommand(command, async (context) => {
      const slice = sliceFromArgument(context.store, argument, { save: true });
      return migrateOutput(await migrate(context, slice, chooseVn(slice, options.vn), options));
    }),
  );
}

const outcomeExitCodes = {
  completed: exitCodes.done,
  unchanged: exitCodes.done,
  'rolled-back': exitCodes.rolledBack,
  failed: exitCodes.rollbackIncomplete,
} as const;

function exitCodeOf({ interrupted, unreachable, outcome }: MigrateResult): number {
  if (interrupted) return exitCodes.interrupted;
  return unreachable.length > 0 ? exitCodes.unreachable : outcomeExitCodes[outcome];
}

export function migrateOutput(result: MigrateResult): Output {
  const exitCode = exitCodeOf(result);
  return { text: migrationText(result), json: migrateResultView(result), exitCode };
}
