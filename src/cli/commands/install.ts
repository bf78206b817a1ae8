import { type Command, Option } from 'commander';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type InstallOptions, install } from '../../controller/install.ts';
import { uninstall } from '../../controller/uninstall.ts';
import { ms } from '../output.ts';
import { runCommand } from '../run.ts';

export function addInstall(program: Command): void {
  program
    .command('install')
    .description('set up the VNs of a slice on a placement')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .option('--placement <name>', 'the placement of the routers', 'initial')
    .option('--vn <name>', 'one VN of the slice (default: all)')
    .addOption(urpfOption())
    .action((argument: string, options: InstallOptions, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument, { save: true });
        const results = await install(context, slice, options);
        const text = results.map(({ vn, placement, changed, nodes, mtu, durationMs }) =>
          changed === 0
            ? `VN '${vn}' is already on placement '${placement}': nothing changed`
            : `VN '${vn}' is on placement '${placement}': ${changed} changes on ${nodes} nodes in ${ms(durationMs, 0)} ms, MTU ${mtu}`,
        );
        return { text: text.join('\n'), json: { slice: slice.name, vns: results } };
      }),
    );
}

export function addUninstall(program: Command): void {
  program
    .command('uninstall')
    .description('remove everything that is installed of a slice')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .option('--vn <name>', 'one VN of the slice (default: all)')
    .action((argument: string, options: { vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument);
        const result = await uninstall(context, slice, options.vn);
        const text =
          result.vns.length === 0
            ? `nothing of slice '${slice.name}' is installed`
            : `uninstalled VN '${result.vns.join("', '")}': ${result.changed} changes`;
        return { text, json: result };
      }),
    );
}

function urpfOption(): Option {
  return new Option('--urpf <mode>', 'reverse-path check at gateways and routers (RFC 3704)')
    .choices(['strict', 'feasible', 'loose'])
    .default('strict');
}
