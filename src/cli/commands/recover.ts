import type { Command } from 'commander';
import type { Context } from '../../controller/context.ts';
import type { MigrateResult } from '../../controller/migrate.ts';
import { resume, rollback } from '../../controller/recover.ts';
import { chooseVn } from '../../controller/resolve.ts';
import { sliceFromArgument } from '../../controller/slice-argument.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { type Output, runCommand } from '../run.ts';
import { migrateOutput } from './migrate.ts';

export function addResume(program: Command): void {
  addRecovery(program, 'resume', 'finish a migration that was interrupted', async (context, slice, vn) =>
    migrateOutput(await resume(context, slice, vn)),
  );
}

export function addRollback(program: Command): void {
  addRecovery(program, 'rollback', 'undo a migration that was interrupted', async (context, slice, vn) => {
    const result = await rollback(context, slice, vn);
    if (result === undefined)
      return { text: `what an interrupted 'plan' had left is gone`, json: { outcome: 'rolled-back' } };
    const output = migrateOutput(result);
    // Here that is what was wanted.
    return result.outcome === 'rolled-back' ? { ...output, text: undone(result), exitCode: 0 } : output;
  });
}

function undone({ vn, from }: MigrateResult): string {
  return `VN '${vn}' is on '${from}' as it was before; nothing of the migration is left`;
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
