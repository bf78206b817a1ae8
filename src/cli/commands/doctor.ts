import type { Command } from 'commander';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type DoctorResult, doctor, type NodeReport } from '../../controller/doctor.ts';
import { describeObstacle } from '../../controller/nodes/obstacles.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import type { Slice } from '../../model/slice.ts';
import { endpointText } from '../../model/ssh-way.ts';
import { clockCells, clockHeading, clockNotes } from '../clock-text.ts';
import { ms, table } from '../output.ts';
import { runCommand } from '../run.ts';
import { outcome, toned } from '../style.ts';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check what each node of a slice can do')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .action((argument: string, _options, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument);
        context.report({ kind: 'phase', text: `examine ${slice.nodes.size} nodes` });
        const result = await doctor(context, slice);
        const rows = result.nodes.map((node) => [
          node.node,
          outcome(node.reachable ? 'yes' : 'no'),
          node.agent === undefined ? '-' : node.agent.version,
          node.kernel ?? '-',
          ...clockCells(node.clock),
          node.timerLag === undefined ? '-' : `${ms(node.timerLag.p99Ms, 2)} / ${ms(node.timerLag.maxMs, 2)}`,
          missingFeatures(node),
        ]);
        const heading = ['node', 'reachable', 'agent', 'kernel', ...clockHeading, 'timer lag ms, p99 / max', 'missing'];
        const problems = result.nodes.flatMap(({ node, problems }) => problems.map((problem) => `${node}: ${problem}`));
        const verdict = result.ok
          ? toned('good', 'every node is ready')
          : problems.map((problem) => toned('bad', problem)).join('\n');
        const notes = clockNotes(result.nodes.flatMap(({ clock }) => clock ?? []));
        const warnings = result.nodes.flatMap(({ obstacles = [] }) => obstacles.filter(({ blocks }) => !blocks));
        const warned = warnings.length === 0 ? [] : [warnings.map(describeObstacle).join('\n')];
        return {
          text: [
            table(heading, rows),
            ...wayNotes(slice, result.nodes),
            ...notes,
            ...daemonNotes(result.nodes),
            ...warned,
            verdict,
          ].join('\n\n'),
          json: result,
          exitCode: doctorExitCode(result),
        };
      }),
    );
}

/** How SSH reaches the nodes that are not on the local testbed. */
function wayNotes({ nodes }: Slice, reports: readonly NodeReport[]): string[] {
  const rows = reports.flatMap(({ node, way }) => {
    if (way === undefined || nodes.get(node)?.host === undefined) return [];
    const { transport, user, host, port, jumps } = way;
    return [[node, `${user}@${endpointText(host, port)}`, jumps.join(', ') || '-', transport]];
  });
  return rows.length === 0 ? [] : [table(['node', 'ssh', 'through', 'by'], rows)];
}

/** Which routing daemons the nodes have, and how they can move, for a slice with routers that run one. */
function daemonNotes(nodes: readonly NodeReport[]): string[] {
  const rows = nodes.flatMap(({ node, features = [], controlPlanes = [] }) =>
    controlPlanes.map(({ kind, ways, lacks }) => {
      const detail = features.find(({ name }) => name === kind)?.detail ?? '';
      return [node, `${kind} ${detail.replace('version ', '')}`, ways.join(', '), lacks.join('; ') || '-'];
    }),
  );
  if (rows.length === 0) return [];
  return [`routing daemons\n${table(['node', 'daemon', 'can move by', 'not by'], rows)}`];
}

/** The exit code: as in other commands, an unreachable node takes precedence over problems of the others. */
export function doctorExitCode({ ok, nodes }: DoctorResult): number {
  if (nodes.some(({ reachable }) => !reachable)) return exitCodes.unreachable;
  return ok ? exitCodes.done : exitCodes.failed;
}

export function missingFeatures({ features }: Pick<NodeReport, 'features'>): string {
  if (features === undefined) return 'unknown';
  const missing = features.filter((feature) => !feature.available).map((feature) => feature.name);
  return missing.length === 0 ? 'nothing' : missing.join(', ');
}
