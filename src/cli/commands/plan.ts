import { type Command, Option } from 'commander';
import { chooseVn } from '../../controller/base/resolve.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type PlanOptions, plan } from '../../controller/plan.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import { scheduleNames } from '../../planning/schedule/types.ts';
import { migrationOption } from '../migration-options.ts';
import { movesPlanText } from '../moves-plan-text.ts';
import { planText } from '../plan-text.ts';
import { runCommand } from '../run.ts';

export function addPlan(program: Command): void {
  program
    .command('plan')
    .description('predict what a migration would do and lose, without changing anything')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .requiredOption('--to <placement>', 'the placement to move to; with --router, the node')
    .option('--router <name>', 'the only router to move; not with --method instance')
    .option('--from <placement>', 'the placement to move from (default: the installed one, else initial)')
    .option('--vn <name>', 'which VN, when the slice has several')
    .addOption(migrationOption('method'))
    .addOption(migrationOption('controlPlane'))
    .addOption(migrationOption('suspend'))
    .addOption(migrationOption('holdControl'))
    .addOption(migrationOption('parallel'))
    .addOption(new Option('--schedule <name>', 'one schedule (default: all, compared)').choices([...scheduleNames]))
    .addOption(migrationOption('urpf'))
    .addOption(migrationOption('granularity'))
    .addOption(
      new Option(
        '--latency <source>',
        'latencies measured on the nodes, or declared in the slice file (default: measured where installed)',
      ).choices(['measured', 'declared']),
    )
    .action((argument: string, options: PlanOptions & { vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument, { check: true });
        const result = await plan(context, slice, chooseVn(slice, options.vn), options);
        if (result.method === 'instance') return { text: planText(result), json: result };
        const exitCode = result.refusals.length === 0 ? exitCodes.done : exitCodes.failed;
        return { text: movesPlanText(result), json: result, exitCode };
      }),
    );
}
