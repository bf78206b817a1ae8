/** Runs a program at an end host of a VN. */
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { VnmError } from '../model/errors.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { AgentConnection } from '../transport/agent-connection.ts';
import { readHostStart } from '../vsys/host.ts';
import { type Context, signalOption } from './base/context.ts';
import { activeInstance, chooseVn } from './base/resolve.ts';
import { withAgents } from './nodes/agents.ts';

export interface ExecRequest {
  readonly slice: Slice;
  /** Name of a VN; only needed where several have an end host of that name. */
  readonly vn?: string | undefined;
  /** Name of an end host. */
  readonly host: string;
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
 * Runs the command until it ends, with its streams joined to these. Throws VnmError `not-found` (end host, VN not
 * installed), `unsupported` or `conflict` (nothing can run there now), `interrupted` once the command has been ended,
 * `unreachable`.
 */
export async function exec(context: Context, request: ExecRequest, streams: ExecStreams): Promise<ExecResult> {
  const { slice, host, command } = request;
  const vn = vnOf(request);
  activeInstance(context.store, slice, vn);
  const { node, address } = planVn(slice, vn).access.find(({ endHost }) => endHost === host)!.hostEnd;
  return withAgents(context, slice, [node], async (agents) => {
    const connection = agents.get(node);
    const words = [...(await wayTo(connection, slice, address)), ...command];
    const what = `the command at end host '${host}'`;
    const { code, signal } = await connection.stream(words, { ...streams, what, ...signalOption(context) });
    return { command, exitCode: code ?? 128 + (constants.signals[`SIG${signal}` as NodeJS.Signals] ?? 0) };
  });
}

/** Throws VnmError `not-found`, `usage`. */
function vnOf({ slice, vn: name, host }: ExecRequest): VirtualNetwork {
  const candidates = name === undefined ? slice.vns : [chooseVn(slice, name)];
  const having = candidates.filter(({ endHosts }) => endHosts.some((endHost) => endHost.name === host));
  const [vn, other] = having;
  if (vn !== undefined && other === undefined) return vn;
  if (vn !== undefined) {
    throw new VnmError('usage', `several VNs of slice '${slice.name}' have an end host '${host}'`, {
      hint: `select one with --vn NAME: ${having.map((one) => one.name).join(', ')}`,
    });
  }
  const where = name === undefined ? `slice '${slice.name}'` : `VN '${name}'`;
  throw new VnmError('not-found', `${where} has no end host '${host}'`, {
    hint: `its end hosts are ${candidates.flatMap(({ endHosts }) => endHosts.map((one) => one.name)).join(', ')}`,
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
  const start = atNode(node, () => readHostStart(stdout.toString()));
  if (start !== undefined) return start.words;
  throw new VnmError('failed', `node '${node}' cannot run commands: ${stderr.trim() || `exit code ${code}`}`);
}

/** Names the node in errors. */
function atNode<T>(node: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof VnmError)) throw error;
    throw new VnmError(error.code, `node '${node}': ${error.message}`, { hint: error.hint, cause: error });
  }
}
