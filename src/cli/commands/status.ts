import type { Command } from 'commander';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type LiveStatus, liveStatus } from '../../controller/live.ts';
import { describeObstacle } from '../../controller/nodes/obstacles.ts';
import { type SliceStatus, sliceStatus, type VnStatus } from '../../controller/status.ts';
import { sliceStatusView } from '../../controller/views/status.ts';
import { VnmError } from '../../model/errors.ts';
import { healthLines } from '../health-text.ts';
import { comparisonExitCode, daemonsText, differencesText, failureTexts, machinesText } from '../live-text.ts';
import { noName, quotedName, table } from '../output.ts';
import { type Output, runCommand } from '../run.ts';

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('show what is installed where')
    .argument('[slice]', 'a slice file, or the name of a slice in the database (default: all slices)')
    .option('--live', 'ask the nodes, and list how they differ from the database', false)
    .action((argument: string | undefined, { live }: { live: boolean }, command: Command) =>
      runCommand(command, async (context) => {
        const { store } = context;
        if (live) return liveOutput(await liveStatus(context, sliceFromArgument(store, requireArgument(argument))));
        const slices =
          argument === undefined
            ? store.slices.names().map((name) => store.slices.find(name)!)
            : [sliceFromArgument(store, argument)];
        const result = slices.map((slice) => sliceStatus(store, slice));
        const text = result.length === 0 ? `no slices in ${store.path} yet` : result.map(statusText).join('\n\n');
        const views = result.map(sliceStatusView);
        return { text, json: argument === undefined ? { slices: views } : views[0] };
      }),
    );
}

function requireArgument(argument: string | undefined): string {
  if (argument !== undefined) return argument;
  throw new VnmError('usage', '--live needs a slice', { hint: "run 'pl-vnm status SLICE --live'" });
}

function liveOutput(status: LiveStatus): Output {
  const { differences, notCompared, daemons, machines } = status;
  const lines = [
    ...failureTexts(status),
    ...(status.obstacles ?? []).map(describeObstacle),
    ...notCompared.map((vn) => `VN '${vn}' is only partly installed, and was not compared`),
    verdictOn(status),
  ];
  const list = [
    ...(daemons === undefined ? [] : [daemonsText(daemons)]),
    ...(machines === undefined ? [] : [machinesText(machines)]),
    ...(differences.length === 0 ? [] : [differencesText(differences)]),
  ];
  const exitCode = comparisonExitCode(status, status.equal);
  return { text: [...list, lines.join('\n')].join('\n\n'), json: status, exitCode };
}

function verdictOn({ slice, equal, differences, unreachable, migrating }: LiveStatus): string {
  const nodes = unreachable.length === 0 ? 'the nodes' : 'the other nodes';
  if (equal) return `${nodes} match the database for slice '${slice}'`;
  const verdict = `${nodes} differ from the database for slice '${slice}'`;
  if (migrating.length > 0) return `${verdict}; the migration of VN '${migrating.join("', '")}' is unfinished`;
  return differences.some(({ additional }) => !additional)
    ? `${verdict}; run 'pl-vnm reconcile ${slice}' to repair them`
    : verdict;
}

export function statusText(status: SliceStatus): string {
  const place = status.testbed === null ? '' : `, on local testbed ${status.testbed}`;
  const lines = [`slice '${status.slice}', subnet ${status.vnet}${place}`];
  for (const vn of status.vns) {
    const where = !isInstalled(vn)
      ? 'not installed'
      : `on placement ${quotedName(vn.placement)}, uRPF ${vn.urpf}, MTU ${vn.mtu}`;
    lines.push('', `VN '${vn.vn}': ${where} (placements: ${vn.placements.join(', ')})`);
    for (const instance of vn.instances) {
      const rows = instance.routers.map(({ router, node, movingTo, namespace, routes }) => [
        router,
        movingTo === undefined ? node : `${node}, moving to ${movingTo}`,
        namespace,
        routes,
      ]);
      lines.push(
        `  instance on ${quotedName(instance.placement)} (${instance.state}), addresses ${instance.block}, ${instance.tunnels.length} tunnels`,
        indent(table(['router', 'node', 'namespace', 'routes'], rows)),
      );
    }
  }
  if (status.vns.some(isInstalled)) lines.push('', ...healthLines(status, Date.now()));
  if (status.migrations.length > 0) {
    const rows = status.migrations.map((migration) => [
      new Date(migration.startedAt).toISOString(),
      migration.vn,
      `${migration.from ?? noName} -> ${migration.to ?? noName}`,
      migration.urpf,
      migration.outcome ?? `unfinished: ${migration.state}`,
    ]);
    lines.push('', 'latest migrations', indent(table(['started', 'VN', 'placements', 'uRPF', 'outcome'], rows)));
  }
  return lines.join('\n');
}

/** Whether an instance carries the VN's traffic. */
function isInstalled({ instances }: VnStatus): boolean {
  return instances.some(({ state }) => state === 'active');
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
