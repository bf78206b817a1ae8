import type { Command } from 'commander';
import type { Context } from '../../controller/base/context.ts';
import { chooseVn } from '../../controller/base/resolve.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import type { MigrateResult } from '../../controller/migrate.ts';
import { resume, rollback } from '../../controller/recover.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { unproven } from '../migration-text.ts';
import { quotedName } from '../output.ts';
import { type Output, runCommand } from '../run.ts';
import { migrateOutput } from './migrate.ts';

export function addResume(program: Command): void {
  addRecovery(program, 'resume', 'finish an interrupted migration', async (context, slice, vn) =>
    recoveryOutput(await resume(context, slice, vn)),
  );
}

export function addRollback(program: Command): void {
  addRecovery(program, 'rollback', 'undo an interrupted migration', async (context, slice, vn) => {
    const result = await rollback(context, slice, vn);
    if (result === undefined)
      return {
        text: `removed the trial instance that an interrupted 'plan' left behind`,
        json: { outcome: 'rolled-back' },
      };
    const output = recoveryOutput(result);
    // For this command a rollback is success.
    return result.outcome === 'rolled-back' ? { ...output, text: undone(result), exitCode: exitCodes.done } : output;
  });
}

function recoveryOutput(result: MigrateResult): Output {
  const output = migrateOutput(result);
  if (result.outcome !== 'unchanged') return output;
  const { vn, slice, from } = result;
  return {
    ...output,
    text: `no migration of VN '${vn}' of slice '${slice}' was interrupted; it is on ${quotedName(from)}: nothing changed`,
  };
}

function undone(result: MigrateResult): string {
  const { vn, from } = result;
  return `VN '${vn}' is on ${quotedName(from)} again; everything of the migration was removed${unproven(result)}`;
}

function addRecovery(
  program: Command,
  name: string,
  description: string,
  body: (context: Context, slice: Slice, vn: VirtualNetwork) => Promise<Output>,
): void {
  program
    .command(name)
    .description(description)
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .option('--vn <name>', 'which VN, when the slice has several')
    .action((argument: string, { vn }: { vn?: string }, command: Command) =>
      runCommand(command, (context) => {
        const slice = sliceFromArgument(context.store, argument);
        return body(context, slice, chooseVn(slice, vn));
      }),
    );
}
