import type { Command } from 'commander';
import { measure } from '../../controller/measure.ts';
import { chooseVn } from '../../controller/resolve.ts';
import { sliceFromArgument } from '../../controller/slice-argument.ts';
import { ms, table } from '../output.ts';
import { runCommand } from '../run.ts';

export function addMeasure(program: Command): void {
  program
    .command('measure')
    .description('path latency of each flow on each instance, clock offsets with bounds')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .option('--vn <name>', 'which VN, when the slice has several')
    .action((argument: string, options: { vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument);
        const result = await measure(context, slice, chooseVn(slice, options.vn));
        const clocks = result.clocks.map(({ node, offsetMs, boundMs }) => [node, ms(offsetMs, 3), ms(boundMs, 3)]);
        const parts = result.instances.map(({ placement, state, paths }) => {
          const rows = paths.map((path) => [
            path.from,
            path.to,
            ms(path.minMs, 2),
            ms(path.medianMs, 2),
            ms(path.jitterMs, 2),
            `${path.probes - path.lost}/${path.probes}`,
          ]);
          return `placement '${placement}' (${state}), one-way ms\n${table(['from', 'to', 'min', 'median', 'jitter', 'probes'], rows)}`;
        });
        const text = [
          ...parts,
          `clocks against this machine's, ms\n${table(['node', 'offset', 'bound'], clocks)}`,
        ].join('\n\n');
        return { text, json: result };
      }),
    );
}
