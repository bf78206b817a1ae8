import type { Command } from 'commander';
import { sliceFromArgument } from '../../controller/slice-argument.ts';
import { type SliceStatus, sliceStatus } from '../../controller/status.ts';
import { table } from '../output.ts';
import { runCommand } from '../run.ts';

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('what is installed where')
    .argument('[slice]', 'a slice file, or the name of a slice in the database; all without it')
    .action((argument: string | undefined, _options, command: Command) =>
      runCommand(command, async ({ store }) => {
        const slices =
          argument === undefined
            ? store.slices.names().map((name) => store.slices.find(name)!)
            : [sliceFromArgument(store, argument)];
        const result = slices.map((slice) => sliceStatus(store, slice));
        const text = result.length === 0 ? `${store.path} knows no slice yet` : result.map(describe).join('\n\n');
        return { text, json: argument === undefined ? { slices: result } : result[0] };
      }),
    );
}

function describe(status: SliceStatus): string {
  const place = status.testbed === null ? '' : `, on local testbed ${status.testbed}`;
  const lines = [`slice '${status.slice}', subnet ${status.vnet}${place}`];
  for (const vn of status.vns) {
    const where =
      vn.placement === null ? 'not installed' : `on placement '${vn.placement}', uRPF ${vn.urpf}, MTU ${vn.mtu}`;
    lines.push('', `VN '${vn.vn}': ${where} (placements: ${vn.placements.join(', ')})`);
    for (const instance of vn.instances) {
      const rows = instance.routers.map(({ router, node, namespace, routes }) => [router, node, namespace, routes]);
      lines.push(
        `  instance on '${instance.placement}' (${instance.state}), addresses ${instance.block}, ${instance.tunnels.length} tunnels`,
        indent(table(['router', 'node', 'namespace', 'routes'], rows)),
      );
    }
  }
  if (status.migrations.length > 0) {
    const rows = status.migrations.map((migration) => [
      new Date(migration.startedAt).toISOString(),
      migration.vn,
      `${migration.from} -> ${migration.to}`,
      migration.urpf,
      migration.outcome ?? `unfinished: ${migration.state}`,
    ]);
    lines.push('', 'latest migrations', indent(table(['started', 'VN', 'placements', 'uRPF', 'outcome'], rows)));
  }
  return lines.join('\n');
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
