/**
 * Runs programs at a place: in a router by the agent, as the policy allows; at a gateway or an end host, which use
 * their node's own network, as a session of the login, which has that network anyway.
 */
import type { Readable, Writable } from 'node:stream';
import { VnmError } from '../../model/errors.ts';
import type { Slice } from '../../model/slice.ts';
import { planVn } from '../../planning/vn-plan.ts';
import { type HostStart, readHostStart } from '../../vsys/host.ts';
import type { CommandEnd } from '../../vsys/messages.ts';
import { type Terminal, terminalWords } from '../../vsys/terminal.ts';
import { type Context, signalOption } from '../base/context.ts';
import { atNode, type PlaceAccess } from './access.ts';
import { describePlace, type Place } from './place.ts';
import { readAll, runCommand } from './run.ts';

export interface ExecStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

export interface Commands {
  /** Runs a program until it ends; throws as `exec`. */
  run(command: readonly string[], streams: ExecStreams, terminal?: Terminal): Promise<CommandEnd>;
  /** Runs a program without input and output next to another one on the node, as the same user. */
  runBeside(command: readonly string[]): Promise<void>;
}

/** The programs at a place that `access` leads to. */
export function commandsAt(context: Context, slice: Slice, place: Place, access: PlaceAccess): Commands {
  const { namespace } = access;
  return namespace === undefined ? atEdge(context, slice, place, access) : inRouter(context, place, access, namespace);
}

function inRouter(
  context: Context,
  place: Place,
  { connection, node }: PlaceAccess,
  namespace: NonNullable<PlaceAccess['namespace']>,
): Commands {
  const what = `the command in ${describePlace(place)} on node '${node}'`;
  const start = async (command: readonly string[], terminal?: Terminal) => {
    const request = { namespace, command: [...command], ...(terminal === undefined ? {} : { terminal }) };
    const { id } = await connection.call('exec', request, signalOption(context)).catch(atNode(node));
    return id;
  };
  return {
    run: async (command, streams, terminal) =>
      runCommand(connection, await start(command, terminal), { ...streams, what, ...signalOption(context) }),
    runBeside: async (command) => {
      const ignore = async () => {};
      await readAll(connection, await start(command), { stdout: ignore, stderr: ignore });
    },
  };
}

function atEdge(context: Context, slice: Slice, place: Place, { connection }: PlaceAccess): Commands {
  const what = `the command at ${describePlace(place)}`;
  return {
    run: async (command, streams, terminal) => {
      const words = terminal === undefined ? command : terminalWords(terminal, command);
      const way = await wayTo(connection, slice, place);
      return connection.stream([...way, ...words], { ...streams, what, ...signalOption(context) });
    },
    runBeside: async (command) => {
      await connection.exec(command.join(' '), { what: 'a change of the terminal' });
    },
  };
}

/**
 * The words before a command that runs there: none where that is the node itself. Throws an error that says why no
 * command can run there now.
 */
async function wayTo(
  { facts, program, node, exec: run }: PlaceAccess['connection'],
  slice: Slice,
  { vn, name }: Place,
): Promise<readonly string[]> {
  if (facts.plane !== 'userspace') return [];
  if (program === undefined) throw new VnmError('unsupported', `node '${node}': its agent runs no commands`);
  const { address } = planVn(slice, vn).access.find(({ endHost }) => endHost === name)!.hostEnd;
  const words = [...program, 'host', '--slice', slice.name, '--address', address];
  const { code, stdout, stderr } = await run(words.join(' '), { what: 'the preparation of the command' });
  const start = readStart(node, stdout.toString());
  if (start !== undefined) return start.words;
  throw new VnmError('failed', `node '${node}' cannot run commands: ${stderr.trim() || `exit code ${code}`}`);
}

/** Throws the error in the output, with the node's name; returns undefined if the output is something else. */
function readStart(node: string, output: string): HostStart | undefined {
  try {
    return readHostStart(output);
  } catch (error) {
    return atNode(node)(error);
  }
}
