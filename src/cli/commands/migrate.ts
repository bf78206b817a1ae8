import { type Command, Option } from 'commander';
import { type MigrateOptions, type MigrateResult, migrate } from '../../controller/migrate.ts';
import { chooseVn } from '../../controller/resolve.ts';
import { sliceFromArgument } from '../../controller/slice-argument.ts';
import { migrationText } from '../migration-text.ts';
import { type Output, runCommand } from '../run.ts';
import { urpfOption } from './install.ts';

export function addMigrate(program: Command): void {
  program
    .command('migrate')
    .description('move a running VN to another placement')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .requiredOption('--to <placement>', 'the placement to move to')
    .option('--vn <name>', 'which VN, when the slice has several')
    .addOption(new Option('--control <mode>', 'who issues the redirections').choices(['remote']).default('remote'))
    .addOption(
      new Option('--schedule <name>', 'when each gateway redirects').choices(['simultaneous']).default('simultaneous'),
    )
    .addOption(
      new Option('--granularity <what>', 'one instant per gateway, or per remote gateway')
        .choices(['gateway', 'peer'])
        .default('gateway'),
    )
    .addOption(urpfOption())
    .option('--traffic', "run the slice's flows meanwhile and count what they lose", false)
    .action((argument: string, options: MigrateOptions & { vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument, { save: true });
        return migrateOutput(await migrate(context, slice, chooseVn(slice, options.vn), options));
      }),
    );
}

const exitCodes = { completed: 0, 'rolled-back': 5, failed: 6 } as const;

export function migrateOutput(result: MigrateResult): Output {
  const exitCode = result.interrupted ? 130 : exitCodes[result.outcome];
  return { text: migrationText(result), json: result, exitCode };
}
