import type { Command } from 'commander';
import { chooseVn } from '../../controller/base/resolve.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type MeasureResult, measure } from '../../controller/measure.ts';
import { unsteadyPath } from '../../controller/migration/spread-warning.ts';
import type { PathLatency } from '../../controller/probe/path-latency.ts';
import { clockCells, clockHeading, clockNotes } from '../clock-text.ts';
import { ms, quotedName, table } from '../output.ts';
import { runCommand } from '../run.ts';

const roundTripNote = '~ half the round trip: the clocks are too uncertain for a one-way latency';

export function addMeasure(program: Command): void {
  program
    .command('measure')
    .description('measure the path latency of each flow on each instance, and the clock offsets with their bounds')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .option('--vn <name>', 'which VN, when the slice has several')
    .action((argument: string, options: { vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument);
        const result = await measure(context, slice, chooseVn(slice, options.vn));
        const clocks = result.clocks.map((clock) => [clock.node, ...clockCells(clock)]);
        const parts = result.instances.map(({ placement, state, paths }) => {
          const rows = paths.map((path) => [
            path.from,
            path.to,
            latency(path, path.reportedMs.min),
            latency(path, path.reportedMs.median),
            ms(path.jitterMs, 2),
            ms(path.clockBoundMs, 2),
            `${path.probes - path.lost}/${path.probes}`,
          ]);
          return `placement ${quotedName(placement)} (${state}), one-way ms\n${table(['from', 'to', 'min', 'median', 'jitter', 'clock bound', 'probes'], rows)}`;
        });
        const text = [
          ...parts,
          ...result.instances.flatMap(({ paths }) => paths.flatMap((path) => unsteadyPath(path) ?? [])),
          ...(isAnyUncertain(result) ? [roundTripNote] : []),
          `clocks against this machine's\n${table(['node', ...clockHeading], clocks)}`,
          ...clockNotes(result.clocks),
        ].join('\n\n');
        return { text, json: result };
      }),
    );
}

function isAnyUncertain({ instances }: MeasureResult): boolean {
  return instances.some(({ paths }) => paths.some((path) => path.basis === 'half-round-trip'));
}

function latency({ basis }: PathLatency, value: number): string {
  return `${basis === 'half-round-trip' ? '~' : ''}${ms(value, 2)}`;
}
