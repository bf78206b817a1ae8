import type { Command } from 'commander';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type ReconcileOptions, type ReconcileResult, reconcile } from '../../controller/reconcile.ts';
import { comparisonExitCode, differencesText, failureTexts } from '../live-text.ts';
import { runCommand } from '../run.ts';

export function addReconcile(program: Command): void {
  program
    .command('reconcile')
    .description('repair what differs between the nodes and the database')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .option('--vn <name>', 'one VN of the slice (default: all, and what belongs to none)')
    .option('--dry-run', 'only show what would be repaired', false)
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
      ? `nothing to do: slice '${slice}' matches the database`
      : `${count} ${dryRun ? 'would be repaired: nothing changed' : 'repaired'}`;
  return [
    ...(repaired.length === 0 ? [] : [differencesText(repaired, dryRun ? 'on the node' : 'was on the node')]),
    ...(additional.length === 0 ? [] : [`additional, and not removed:\n${differencesText(additional)}`]),
    [...failureTexts(result), verdict].join('\n'),
  ].join('\n\n');
}
