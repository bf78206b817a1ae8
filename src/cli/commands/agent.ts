import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type AdminOptions,
  installAgents,
  type PolicyOptions,
  uninstallAgents,
} from '../../controller/agent-install.ts';
import { forget, listNodes, type NodeAgents, type WhereOptions } from '../../controller/agent-list.ts';
import { VnmError } from '../../model/errors.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import { readSlice } from '../../slicefile/index.ts';
import { shorten } from '../../transport/slices-there.ts';
import { table } from '../output.ts';
import { globalOptions, reportsOf, runCommand, runPlain } from '../run.ts';

interface Options extends Omit<AdminOptions, 'nodes'> {
  readonly node?: string[];
}

interface InstallOptions extends Options {
  readonly limit: PolicyOptions['limits'];
  readonly operations?: string[];
}

export function addAgent(program: Command): void {
  const agent = program.command('agent').description('list the agents on nodes, and install them on shared nodes');
  addList(agent);
  addForget(agent);
  addInstall(agent);
  addUninstall(agent);
}

interface ListOptions extends Omit<WhereOptions, 'nodes'> {
  readonly node?: string[];
}

const whereHint = 'slice files, slices or nodes in the database, or hosts like user@host:port';

function addList(agent: Command): void {
  withWhereOptions(agent.command('list'))
    .description('list the slices that have a policy, an agent or anything installed on nodes')
    .argument('<where...>', whereHint)
    .action((words: string[], { node: nodes = [], ...options }: ListOptions, command: Command) =>
      runCommand(command, async (context) => {
        const { nodes: found, failure } = await listNodes(context, words, { ...options, nodes });
        const exitCode =
          failure instanceof VnmError ? failure.exitCode : failure === undefined ? exitCodes.done : exitCodes.failed;
        return { text: listText(found), json: { nodes: found }, exitCode };
      }),
    );
}

function listText(nodes: readonly NodeAgents[]): string {
  const rows = nodes.flatMap(({ node, slices }) =>
    slices.map(({ slice, vnet = '-', by, login, installed, pid }) => [
      node,
      slice,
      vnet,
      by === undefined ? '-' : login === undefined ? by : `${by} (login ${login})`,
      installed.length === 0 ? 'nothing' : shorten(installed),
      pid === undefined ? '-' : `pid ${pid}`,
    ]),
  );
  const empty = nodes.filter(({ slices, error }) => error === undefined && slices.length === 0).map(({ node }) => node);
  return [
    ...(rows.length === 0 ? [] : [table(['node', 'slice', 'vnet', 'policy by', 'installed', 'agent'], rows)]),
    ...(empty.length === 0 ? [] : [`no slice: ${empty.join(', ')}`]),
    ...nodes.flatMap(({ error }) => error ?? []),
  ].join('\n\n');
}

function addForget(agent: Command): void {
  withWhereOptions(agent.command('forget'))
    .description('remove the policy and stop the agent of a slice that has nothing installed')
    .argument('<slice>', 'the name of a slice, or a slice file')
    .argument('[where...]', `${whereHint} (default: the nodes of the slice)`)
    .action((slice: string, words: string[], { node: nodes = [], ...options }: ListOptions, command: Command) =>
      runCommand(command, async (context) => {
        const result = await forget(context, slice, words, { ...options, nodes });
        const text = result.nodes.map(({ node, removed }) => `${node}: ${removed ? 'removed' : 'nothing to remove'}`);
        return { text: text.join('\n'), json: result };
      }),
    );
}

function withWhereOptions(command: Command): Command {
  return command
    .option('--node <name...>', 'only these nodes of a slice')
    .option('--admin-user <user>', "a login that is root or may become root (sudo -n), instead of the slice file's")
    .option('--admin-key <path>', 'the private key of that login');
}

function addInstall(agent: Command): void {
  withAdminOptions(agent.command('install'))
    .description('install or update the agent on shared nodes, with its policy and a sudo rule for the slice')
    .addOption(
      new Option('--limit <name=value>', 'a limit of the policy, like routes=1000; may be repeated')
        .argParser(addLimit)
        .default({}, 'the limits on the node, or the standard ones'),
    )
    .option(
      '--operations <names>',
      'operations that the slice may use, separated by commas; * for all but exec, capture, exec_as_root, daemon_dump, daemon_restore, machine_up and machine_copy',
      splitNames,
    )
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
        const text = [table(['node', 'login', 'agent', 'runtime', 'result'], rows), ...notes];
        return { text: text.join('\n\n'), json: { slice: slice.name, agents } };
      }),
    );
}

function addUninstall(agent: Command): void {
  withAdminOptions(agent.command('uninstall'))
    .description('remove the agent of a slice from shared nodes')
    .action((file: string, { node = [], ...options }: Options, command: Command) =>
      runPlain(command, async (signal) => {
        const slice = readSlice(file);
        const nodes = await uninstallAgents(contextOf(command, signal), slice, { ...options, nodes: node });
        const text = nodes.map(({ node, removed }) => `${node}: ${removed ? 'removed' : 'nothing to remove'}`);
        return { text: text.join('\n'), json: { slice: slice.name, nodes } };
      }),
    );
}

function withAdminOptions(command: Command): Command {
  return command
    .argument('<slice.yaml>', 'a slice file')
    .option('--node <name...>', 'only these nodes of the slice (default: all)')
    .option('--login <user>', "the slice's login on the nodes, if it is not the slice file's")
    .option('--admin-user <user>', 'a login that is root or may become root (sudo -n)', 'root')
    .option('--admin-key <path>', 'the private key of that login, instead of the ssh agent and the standard key files');
}

function contextOf(command: Command, signal: AbortSignal) {
  const { acceptNewHostKeys } = globalOptions(command);
  return { acceptNewHostKeys, ...reportsOf(command), signal };
}

function addLimit(text: string, limits: PolicyOptions['limits']): PolicyOptions['limits'] {
  const [, name, value] = /^(\w+)=(\d+(?:\.\d+)?(?:e\d+)?)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Write it like routes=1000.');
  return { ...limits, [name]: Number(value) };
}

function splitNames(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}
