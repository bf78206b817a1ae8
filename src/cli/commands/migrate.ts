import { type Command, Option } from 'commander';
import { type MigrateOptions, type MigrateResult, migrate } from '../../controller/migrate.ts';
import { chooseVn } from '../../controller/resolve.ts';
import { sliceFromArgument } from '../../controller/slice-argument.ts';
import { scheduleNames } from '../../planning/schedule/types.ts';
import { migrationText } from '../migration-text.ts';
import { type Output, runCommand } from '../run.ts';
import { granularityOption, urpfOption } from './plan.ts';

export function addMigrate(program: Command): void {
  const command = program
    .command('migrate')
    .description('move a running VN to another placement')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .requiredOption('--to <placement>', 'the placement to move to')
    .option('--vn <name>', 'which VN, when the slice has several');
  addMigrationOptions(command).action((argument: string, options: MigrateOptions & { vn?: string }, command: Command) =>
    runCommand(command, async (context) => {
      const slice = sliceFromArgument(context.store, argument, { save: true });
      return migrateOutput(await migrate(context, slice, chooseVn(slice, options.vn), options));
    }),
  );
}

/** How a migration is done, whoever starts it. */
export function addMigrationOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--control <mode>', 'who times the redirections: the gateways themselves, or the controller over SSH')
        .choices(['remote', 'gateway'])
        .default('gateway'),
    )
    .addOption(
      new Option('--schedule <name>', 'when each gateway redirects').choices([...scheduleNames]).default('optimal'),
    )
    .addOption(granularityOption())
    .addOption(urpfOption())
    .option('--traffic', "run the slice's flows meanwhile and count what they lose", false);
}

const exitCodes = { completed: 0, 'rolled-back': 5, failed: 6 } as const;

export function migrateOutput(result: MigrateResult): Output {
  const exitCode = result.interrupted ? 130 : result.away.length > 0 ? 4 : exitCodes[result.outcome];
  return { text: migrationText(result), json: result, exitCode };
}
