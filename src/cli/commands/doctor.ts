import type { Command } from 'commander';
import { doctor, type NodeReport } from '../../controller/doctor.ts';
import { sliceFromArgument } from '../../controller/slice-argument.ts';
import { clockCells, clockHeading, clockNotes } from '../clock-text.ts';
import { ms, table } from '../output.ts';
import { runCommand } from '../run.ts';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what each node of a slice can do')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .action((argument: string, _options, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument);
        context.report({ kind: 'phase', text: `examine ${slice.nodes.size} nodes` });
        const result = await doctor(context, slice);
        const rows = result.nodes.map((node) => [
          node.node,
          node.reachable ? 'yes' : 'no',
          node.agent === undefined ? '-' : node.agent.version,
          node.kernel ?? '-',
          ...clockCells(node.clock),
          node.timerLag === undefined ? '-' : `${ms(node.timerLag.p99Ms, 2)} / ${ms(node.timerLag.maxMs, 2)}`,
          lacks(node),
        ]);
        const heading = ['node', 'reachable', 'agent', 'kernel', ...clockHeading, 'timer lag ms, p99 / max', 'lacks'];
        const problems = result.nodes.flatMap(({ node, problems }) => problems.map((problem) => `${node}: ${problem}`));
        const verdict = result.ok ? 'every node can take part' : problems.join('\n');
        const notes = clockNotes(result.nodes.flatMap(({ clock }) => clock ?? []));
        return {
          text: [table(heading, rows), ...notes, verdict].join('\n\n'),
          json: result,
          exitCode: result.ok ? 0 : 1,
        };
      }),
    );
}

function lacks({ features }: NodeReport): string {
  const missing = (features ?? []).filter((feature) => !feature.available).map((feature) => feature.name);
  return missing.length === 0 ? 'nothing' : missing.join(', ');
}
