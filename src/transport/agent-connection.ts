/** The controller's connection to a node: the agent is put there if need be, started, and called over one kept channel. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, VnmError } from '../model/errors.ts';
import type { Method, NodeFacts, ParamsInput, Results } from '../vsys/messages.ts';
import { type Policy, policySchema } from '../vsys/policy.ts';
import type { CallOptions } from '../vsys/rpc.ts';
import { type AgentBundle, agentBundle } from './agent-bundle.ts';
import { type AgentChannel, openAgentChannel } from './agent-channel.ts';
import { agentFileName, asRoot, deliver } from './delivery.ts';
import { attachCommand } from './installed-files.ts';
import { type NodeSurvey, surveyNode } from './node-survey.ts';
import { nameOf } from './ssh-errors.ts';
import { connectSsh, type SshOptions, type SshSession, type SshTarget } from './ssh-session.ts';

export interface AgentTarget extends SshTarget {
  readonly slice: string;
}

export interface AgentOptions extends SshOptions {
  /** Written to a node that is ours and has none for the slice; one that is there stays, and so does an administrator's. */
  readonly policy: Policy;
}

export interface AgentConnection {
  readonly node: string;
  readonly facts: NodeFacts;
  /** Errors of the agent, and `timeout`, `interrupted`; `unreachable` when the connection ends before the answer. */
  call<M extends Method>(method: M, params: ParamsInput<M>, options?: CallOptions): Promise<Results[M]>;
  readonly exec: SshSession['exec'];
  /**
   * Called once, at once when it is over already; with an error unless `close` was called. The agent lives on. Answers what takes
   * the listener back.
   */
  onClose(listener: (error?: VnmError) => void): () => void;
  close(): void;
  /** For a node that is known to be dead: ends with this error, at once, and so does what waits for an answer. */
  abandon(error: VnmError): void;
}

/** Kernels that make and remove many namespaces at once keep an agent waiting for long. */
const stepTimeoutMs = 120_000;

/**
 * Throws VnmError `unreachable` (SSH), `unsupported` (no right to install the agent, or no Node.js for it, or an administrator
 * has installed another), `failed` (it could not be copied or does not start), `interrupted`, `timeout`.
 */
export async function connectAgent(target: AgentTarget, options: AgentOptions): Promise<AgentConnection> {
  const bundle = await agentBundle();
  const session = await connectSsh(target, options);
  try {
    const command = await prepareNode(session, target.slice, bundle, options);
    const { channel, facts } = await attachCurrent(session, command, bundle, options.signal);
    return connectionOf(session, channel, facts);
  } catch (error) {
    session.close();
    throw error;
  }
}

/** The connections that came about, and why the others did not, by node. */
export interface Connected {
  readonly connections: AgentConnection[];
  readonly failures: ReadonlyMap<string, unknown>;
}

/**
 * Connects to all nodes, `concurrency` at a time. When some fail, the others are closed, and one error names each that
 * failed: `unreachable` if one of them is, else as the first; `interrupted` names one.
 */
export async function connectAgents(
  targets: readonly AgentTarget[],
  options: AgentOptions,
  limits: { concurrency?: number } = {},
): Promise<AgentConnection[]> {
  const { connections, failures } = await connectReachable(targets, options, limits);
  if (failures.size === 0) return connections;
  for (const connection of connections) connection.close();
  throw combine([...failures.values()]);
}

/** As `connectAgents`, but keeps the connections that came about. `connectOne`: where they come from, errors as `connectAgent`. */
export async function connectReachable(
  targets: readonly AgentTarget[],
  options: AgentOptions,
  { concurrency = 32, connectOne = connectAgent }: { concurrency?: number; connectOne?: typeof connectAgent } = {},
): Promise<Connected> {
  const waiting = [...targets];
  const connections = new Map<string, AgentConnection>();
  const failures = new Map<string, unknown>();
  const worker = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      try {
        connections.set(target.node, await connectOne(target, options));
      } catch (error) {
        failures.set(target.node, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, targets.length) }, worker));
  const inOrder = targets.flatMap(({ node }) => connections.get(node) ?? []);
  return {
    connections: inOrder,
    failures: new Map(targets.flatMap(({ node }) => (failures.has(node) ? [[node, failures.get(node)]] : []))),
  };
}

/** One error for all of them. */
export function combine(faults: readonly unknown[]): unknown {
  const known = faults.filter((fault) => fault instanceof VnmError);
  const main = known.find((fault) => fault.code === 'unreachable') ?? known[0];
  const interrupted = known.find((fault) => fault.code === 'interrupted');
  if (interrupted !== undefined) return interrupted;
  if (main === undefined || faults.length === 1) return faults[0];
  return new VnmError(main.code, faults.map(messageOf).join('\n'), {
    hint: main.hint,
    cause: new AggregateError(faults),
  });
}

/** Makes sure that the agent is there. Returns the command that attaches to it. */
async function prepareNode(
  session: SshSession,
  slice: string,
  bundle: AgentBundle,
  { policy, signal }: AgentOptions,
): Promise<string> {
  // The name becomes part of a command.
  if (!policySchema.shape.slice.safeParse(slice).success) {
    throw new VnmError('invalid-input', `'${slice}' is not the name of a slice`);
  }
  const limits = { timeoutMs: stepTimeoutMs, signal };
  const survey = await surveyNode(session, slice, bundle.digest, limits);
  if (survey.root === 'rule') return installedCommand(session, slice, bundle, survey);
  if (survey.root === 'none') {
    throw new VnmError(
      'unsupported',
      `the login '${session.target.user}' of ${nameOf(session.target)} is not root and may not become root (sudo -n)`,
      { hint: 'have the administrator of the node run: pl-vnm agent install' },
    );
  }
  const runtime = await deliver(session, survey, bundle, policy, signal);
  return `${asRoot(survey)}${runtime} ${survey.lib}/${agentFileName(bundle)} attach --slice ${slice}`;
}

/**
 * The one command that the login may run as root. Only the very same agent will do: there is no promise that another understands
 * the same requests.
 */
function installedCommand(session: SshSession, slice: string, bundle: AgentBundle, survey: NodeSurvey): string {
  if (survey.installed === bundle.digest) return `sudo -n ${attachCommand(survey.lib, slice)}`;
  const installed = survey.installed?.slice(0, 12) ?? 'unknown';
  throw new VnmError(
    'unsupported',
    `the agent that is installed on ${nameOf(session.target)} for slice '${slice}' (digest ${installed}) is another than that of this pl-vnm (version ${bundle.version}, digest ${bundle.digest.slice(0, 12)})`,
    {
      hint: `have the administrator of the node run, with this version: pl-vnm agent install SLICE.yaml --node ${session.target.node}`,
    },
  );
}

/** Attaches to the slice's agent; one of another version that is still running is ended first, once. */
async function attachCurrent(
  session: SshSession,
  command: string,
  bundle: AgentBundle,
  signal: AbortSignal | undefined,
): Promise<{ channel: AgentChannel; facts: NodeFacts }> {
  const limits = { timeoutMs: stepTimeoutMs, signal };
  const first = await attach(session, command, limits);
  if (first.facts.agent.digest === bundle.digest) return first;
  await endAgent(first.channel, signal);
  const second = await attach(session, command, limits);
  if (second.facts.agent.digest === bundle.digest) return second;
  const { version, digest, pid } = second.facts.agent;
  throw new VnmError(
    'failed',
    `the agent on ${nameOf(session.target)} is another than this one (version ${version}, digest ${digest.slice(0, 12)}, pid ${pid}), and still is after it was told to end`,
    { hint: 'does another controller with another version use this slice at the same time?' },
  );
}

/** Tells the agent to end, and waits until it has. Throws VnmError `conflict` while something is armed. */
export async function endAgent(channel: AgentChannel, signal: AbortSignal | undefined): Promise<void> {
  await channel.call('shutdown', {}, { timeoutMs: stepTimeoutMs, signal }).catch((error: unknown) => {
    // It may be gone before its answer is through.
    if (!(error instanceof VnmError) || error.code !== 'unreachable') throw error;
  });
  // The channel ends with it; before that another attempt would meet the same one. The next call tells of an interruption.
  const patience = sleep(stepTimeoutMs, undefined, { ref: false, ...(signal && { signal }) }).catch(() => undefined);
  await Promise.race([channel.ended, patience]);
  channel.close();
}

/** Opens a channel by a command that attaches. Throws as `openAgentChannel` and its calls. */
export async function attach(
  session: SshSession,
  command: string,
  limits: CallOptions,
): Promise<{ channel: AgentChannel; facts: NodeFacts }> {
  const channel = await openAgentChannel(session, command);
  try {
    return { channel, facts: await channel.call('hello', {}, limits) };
  } catch (error) {
    channel.close();
    throw error;
  }
}

function connectionOf(session: SshSession, channel: AgentChannel, facts: NodeFacts): AgentConnection {
  const listeners = new Set<(error?: VnmError) => void>();
  let isOurs = false;
  let isOver = false;
  const ended = channel.ended.then((error) => (isOurs ? undefined : error));
  void ended.then((error) => {
    isOver = true;
    // Without its agent the session is of no use.
    session.close();
    for (const listener of listeners) listener(error);
    listeners.clear();
  });
  return {
    node: session.target.node,
    facts,
    call: channel.call,
    exec: session.exec,
    onClose: (listener) => {
      // A promise would hold the listeners for as long as the connection lasts.
      listeners.add(listener);
      if (isOver) void ended.then((error) => listeners.delete(listener) && listener(error));
      return () => void listeners.delete(listener);
    },
    close: () => {
      isOurs = true;
      channel.close();
      session.close();
    },
    abandon: channel.abandon,
  };
}
