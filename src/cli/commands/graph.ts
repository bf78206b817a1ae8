import { type Command, Option } from 'commander';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { graphsOf, type VnGraph } from '../../controller/graph.ts';
import { liveStatus } from '../../controller/live.ts';
import { dotGraph } from '../graph/dot.ts';
import { mermaidGraph } from '../graph/mermaid.ts';
import { svgGraph } from '../graph/svg.ts';
import { textGraph } from '../graph/text.ts';
import { comparisonExitCode } from '../live-text.ts';
import { runCommand } from '../run.ts';

const drawings = {
  text: textGraph,
  mermaid: mermaidGraph,
  dot: dotGraph,
  svg: svgGraph,
} as const satisfies Record<string, (graphs: readonly VnGraph[]) => string | Promise<string>>;

interface Options {
  readonly format: keyof typeof drawings;
  readonly placement?: readonly string[];
  readonly vn?: string;
  readonly live: boolean;
}

export function addGraph(program: Command): void {
  program
    .command('graph')
    .description('draw the VNs of a slice: where its routers are, and both sides of an unfinished migration')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .addOption(
      new Option('--format <name>', 'tables, Mermaid, the language of Graphviz, or a picture')
        .choices(Object.keys(drawings))
        .default('text'),
    )
    .option('--placement <name...>', 'one placement, or two to draw side by side (default: where the VN is)')
    .option('--vn <name>', 'one VN of the slice (default: all)')
    .option('--live', 'ask the nodes, and mark those that differ from the database', false)
    .action((argument: string, { format, placement = [], vn, live }: Options, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument);
        const status = live ? await liveStatus(context, slice) : undefined;
        const graphs = graphsOf(context.store, slice, { placements: placement, vn, live: status });
        const text = await drawings[format](graphs);
        const exitCode = status === undefined ? {} : { exitCode: comparisonExitCode(status, status.equal) };
        return { text, json: { vns: graphs, format, drawing: text }, ...exitCode };
      }),
    );
}
