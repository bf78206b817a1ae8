/** Runs a program at a router or an end host of a VN. */
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { AgentConnection } from '../transport/agent-connection.ts';
import { checkCommand } from '../transport/remote-command.ts';
import { type HostStart, readHostStart } from '../vsys/host.ts';
import type { CommandEnd } from '../vsys/messages.ts';
import { type Context, signalOption } from './base/context.ts';
import { activeInstance } from './base/resolve.ts';
import { findPlace, type Place } from './inside/place.ts';
import { atNode, atRouter, instanceOf } from './inside/router.ts';
import { runCommand } from './inside/run.ts';
import { withAgents } from './nodes/agents.ts';

export interface ExecRequest {
  readonly slice: Slice;
  /** Name of a VN; only needed where several have an end host of that name. */
  readonly vn?: string | undefined;
  /** Name of a router or an end host, as `findPlace` reads it. */
  readonly place: string;
  /** A program and its arguments. */
  readonly command: readonly string[];
}

export interface ExecStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

export interface ExecResult {
  readonly command: readonly string[];
  /** 128 plus the number of the signal that ended it, as in shells. */
  readonly exitCode: number;
}

/**
 * Runs the command until it ends, with its streams joined to these. Throws VnmError `not-found` (no such router or end
 * host, VN not installed), `usage`, `forbidden` (by the policy), `unsupported` or `conflict` (nothing can run there
 * now), `interrupted` once the command has been ended, `unreachable`.
 */
export async function exec(context: Context, request: ExecRequest, streams: ExecStreams): Promise<ExecResult> {
  const { slice, vn, place, command } = request;
  checkCommand(command);
  const found = findPlace(slice, place, vn);
  const run = found.kind === 'router' ? execAtRouter : execAtHost;
  return { command, exitCode: exitCodeOf(await run(context, request, found, streams)) };
}

function exitCodeOf({ code, signal }: CommandEnd): number {
  return code ?? 128 + (constants.signals[`SIG${signal}` as NodeJS.Signals] ?? 0);
}

async function execAtHost(
  context: Context,
  { slice, command }: ExecRequest,
  { vn, name }: Place,
  streams: ExecStreams,
): Promise<CommandEnd> {
  activeInstance(context.store, slice, vn);
  const { node, address } = planVn(slice, vn).access.find(({ endHost }) => endHost === name)!.hostEnd;
  return withAgents(context, slice, [node], async (agents) => {
    const connection = agents.get(node);
    const words = [...(await wayTo(connection, slice, address)), ...command];
    const what = `the command at end host '${name}'`;
    return connection.stream(words, { ...streams, what, ...signalOption(context) });
  });
}

function execAtRouter(
  context: Context,
  { slice, command }: ExecRequest,
  { vn, name }: Place,
  streams: ExecStreams,
): Promise<CommandEnd> {
  const instance = instanceOf(context, slice, vn);
  return atRouter(context, slice, { instance, router: name }, async ({ connection, node, namespace }) => {
    const request = { namespace, command: [...command] };
    const { id } = await connection.call('exec', request, signalOption(context)).catch(atNode(node));
    const what = `the command in router '${name}' on node '${node}'`;
    return runCommand(connection, id, { ...streams, what, ...signalOption(context) });
  });
}

/**
 * The words before a command that runs at the end host: none where that is the node itself. Throws an error that says
 * why no command can run there now.
 */
async function wayTo(connection: AgentConnection, { name }: Slice, address: string): Promise<readonly string[]> {
  const { program, node, exec: run } = connection;
  if (connection.facts.plane !== 'userspace') return [];
  if (program === undefined) throw new VnmError('unsupported', `node '${node}': its agent runs no commands`);
  const words = [...program, 'host', '--slice', name, '--address', address];
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
