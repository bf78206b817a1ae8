import type { Command } from 'commander';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type CountersResult, counters } from '../../controller/counters.ts';
import { table } from '../output.ts';
import { runCommand } from '../run.ts';

export function addCounters(program: Command): void {
  program
    .command('counters')
    .description('show how many packets each interface carried, and why packets were dropped')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .action((argument: string, _options, command: Command) =>
      runCommand(command, async (context) => {
        const result = await counters(context, sliceFromArgument(context.store, argument));
        return { text: describe(result), json: result };
      }),
    );
}

function describe({ slice, nodes }: CountersResult): string {
  if (nodes.length === 0) return `nothing of slice '${slice}' is installed`;
  const rows = nodes.flatMap(({ node, interfaces }) =>
    interfaces.map(({ name, namespace = '', receivedPackets, receivedBytes, sentPackets, sentBytes }) => [
      ...[node, namespace, name],
      ...[receivedPackets, receivedBytes, sentPackets, sentBytes],
    ]),
  );
  const headings = ['node', 'namespace', 'interface', 'received packets', 'bytes', 'sent packets', 'bytes'];
  const drops = nodes.flatMap(({ node, drops: all }) => all.map(({ reason, packets }) => [node, reason, packets]));
  const dropped = drops.length === 0 ? 'no packets dropped' : table(['node', 'dropped because', 'packets'], drops);
  return `${table(headings, rows)}\n\n${dropped}`;
}
