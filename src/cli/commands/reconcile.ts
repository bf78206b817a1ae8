import type { Command } from 'commander';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type ReconcileOptions, type ReconcileResult, reconcile } from '../../controller/reconcile.ts';
import { comparisonExitCode, differencesText, failureTexts } from '../live-text.ts';
import { runCommand } from '../run.ts';

export function addReconcile(program: Command): void {
  program
    .command('reconcile')
    .description('bring the nodes back to what the database says')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .option('--vn <name>', 'one VN of the slice; all, and what belongs to none, without it')
    .option('--dry-run', 'only say what would be done', false)
    .action((argument: string, options: ReconcileOptions, command: Command) =>
      runCommand(command, async (context) => {
        const result = await reconcile(context, sliceFromArgument(context.store, argument), options);
        return { text: textOf(result), json: result, exitCode: comparisonExitCode(result, true) };
      }),
    );
}

function textOf(result: ReconcileResult): string {
  const { slice, dryRun, repaired, additional } = result;
  const count = repaired.length === 1 ? '1 difference' : `${repaired.length} differences`;
  const verdict =
    repaired.length === 0
      ? `nothing to do: slice '${slice}' is as the database says`
      : `${count} ${dryRun ? 'would be repaired: nothing changed' : 'repaired'}`;
  return [
    ...(repaired.length === 0 ? [] : [differencesText(repaired, dryRun ? 'there is' : 'there was')]),
    ...(additional.length === 0 ? [] : [`next to that, and left as it is:\n${differencesText(additional)}`]),
    [...failureTexts(result), verdict].join('\n'),
  ].join('\n\n');
}
