import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type AdminOptions,
  installAgents,
  type PolicyOptions,
  uninstallAgents,
} from '../../controller/agent-install.ts';
import { readSlice } from '../../slicefile/index.ts';
import { table } from '../output.ts';
import { globalOptions, printProgress, runPlain } from '../run.ts';

interface Options extends Omit<AdminOptions, 'nodes'> {
  readonly node?: string[];
}

interface InstallOptions extends Options {
  readonly limit: PolicyOptions['limits'];
  readonly operations?: string[];
}

export function addAgent(program: Command): void {
  const agent = program.command('agent').description("the agent on shared nodes, for the nodes' administrator");
  addInstall(agent);
  addUninstall(agent);
}

function addInstall(agent: Command): void {
  withAdminOptions(agent.command('install'))
    .description('put the agent on shared nodes, with its policy and a sudo rule for the slice; again to update it')
    .addOption(
      new Option('--limit <name=value>', 'a limit of the policy, as often as needed: routes=1000')
        .argParser(addLimit)
        .default({}, 'as they are on the node, or the usual ones'),
    )
    .option('--operations <names>', 'what the slice may ask for, separated by commas; * for all', splitNames)
    .action((file: string, { node = [], limit, ...options }: InstallOptions, command: Command) =>
      runPlain(command, async (signal) => {
        const slice = readSlice(file);
        const agents = await installAgents(contextOf(command, signal), slice, {
          ...options,
          nodes: node,
          limits: limit,
        });
        const rows = agents.map(({ node, login, version, runtime, change }) => [node, login, version, runtime, change]);
        const notes = agents.flatMap(({ node, stillRunning }) =>
          stillRunning === undefined ? [] : [`${node}: ${stillRunning}`],
        );
        const text = [table(['node', 'login', 'agent', 'runtime', 'was'], rows), ...notes];
        return { text: text.join('\n\n'), json: { slice: slice.name, agents } };
      }),
    );
}

function addUninstall(agent: Command): void {
  withAdminOptions(agent.command('uninstall'))
    .description('take the agent of a slice off shared nodes')
    .action((file: string, { node = [], ...options }: Options, command: Command) =>
      runPlain(command, async (signal) => {
        const slice = readSlice(file);
        const nodes = await uninstallAgents(contextOf(command, signal), slice, { ...options, nodes: node });
        const text = nodes.map(({ node, removed }) => `${node}: ${removed ? 'removed' : 'there was none'}`);
        return { text: text.join('\n'), json: { slice: slice.name, nodes } };
      }),
    );
}

function withAdminOptions(command: Command): Command {
  return command
    .argument('<slice.yaml>', 'a slice file')
    .option('--node <name...>', 'nodes of the slice; all without it')
    .option('--login <user>', "the slice's login on the nodes, if it is not the slice file's")
    .option('--admin-user <user>', 'a login that is root or may become root (sudo -n)', 'root')
    .option('--admin-key <path>', 'its private key, instead of the ssh agent and the usual ones');
}

function contextOf(command: Command, signal: AbortSignal) {
  const { acceptNewHostKeys } = globalOptions(command);
  return { acceptNewHostKeys, report: printProgress, signal };
}

function addLimit(text: string, limits: PolicyOptions['limits']): PolicyOptions['limits'] {
  const [, name, value] = /^(\w+)=(\d+(?:\.\d+)?(?:e\d+)?)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('It is written as in routes=1000.');
  return { ...limits, [name]: Number(value) };
}

function splitNames(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}
