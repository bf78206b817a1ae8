/**
 * The controller's connection to a node: puts the agent there if need be, starts it, and calls it over one open
 * channel.
 */
import { messageOf, VnmError } from '../model/errors.ts';
import { defaultPatienceS, observedPatienceS, type TimeLimits, timeLimits } from '../model/patience.ts';
import type { Method, NodeFacts, ParamsInput, Results } from '../vsys/messages.ts';
import { encodePolicy, type Policy, policySchema } from '../vsys/policy.ts';
import type { CallOptions } from '../vsys/rpc.ts';
import { type Attached, attachCurrent, reachRunning } from './agent-attach.ts';
import { type AgentBundle, agentBundle } from './agent-bundle.ts';
import { startAgent } from './agent-start.ts';
import { withConfirmation } from './confirm.ts';
import { agentFileName, asRoot, deliver } from './delivery.ts';
import { attachCommand } from './installed-files.ts';
import { type NodeSurvey, rootHint, surveyNode } from './node-survey.ts';
import { patientCall } from './patient-call.ts';
import { nameOf } from './ssh-errors.ts';
import { connectSsh, type SshSession } from './ssh-session.ts';
import type { SshOptions, SshTarget } from './ssh-types.ts';

export interface AgentTarget extends SshTarget {
  readonly slice: string;
  /**
   * The UDP port for tunnel packets; present on a node with the userspace data plane, where the agent needs no root.
   */
  readonly userspacePort?: number;
  /** The login's PL_VNM_DIR, if that is known. */
  readonly agentDirectory?: string;
}

export interface AgentOptions extends SshOptions {
  /**
   * Brought to a node of ours: it applies where the node has no policy file, and is written there once something is
   * installed.
   */
  readonly policy: Policy;
}

export interface AgentConnection {
  readonly node: string;
  readonly facts: NodeFacts;
  readonly limits: TimeLimits;
  /**
   * Throws the agent's errors, and `timeout`, `interrupted`; `unreachable` when the connection ends before the answer.
   * Without `timeoutMs` the node's own limit applies, and an agent that exceeds it is given up: the connection ends
   * with that error.
   */
  call<M extends Method>(method: M, params: ParamsInput<M>, options?: CallOptions): Promise<Results[M]>;
  readonly exec: SshSession['exec'];
  readonly stream: SshSession['stream'];
  /** The words that start the agent's program on the node; absent where the login may only attach, or needs root. */
  readonly program?: readonly string[];
  /**
   * Calls the listener once, at once if the connection has ended; with an error unless `close` was called. The agent
   * lives on. Returns a function that removes the listener.
   */
  onClose(listener: (error?: VnmError) => void): () => void;
  close(): void;
  /**
   * For a node that is known to be dead: ends the connection with this error at once, and with it all calls in
   * progress.
   */
  abandon(error: VnmError): void;
}

/**
 * Throws VnmError `unreachable` (SSH), `unsupported` (no right to install the agent, no Node.js for it, or an
 * administrator installed another one), `failed` (it could not be copied or does not start), `interrupted`, `timeout`.
 */
export async function connectAgent(target: AgentTarget, given: AgentOptions): Promise<AgentConnection> {
  const options = { ...given, policy: policyFor(target, given.policy) };
  // The name becomes part of a command, and of a path.
  if (!policySchema.shape.slice.safeParse(target.slice).success) {
    throw new VnmError('invalid-input', `invalid slice name '${target.slice}'`);
  }
  const bundle = await agentBundle();
  const session = await connectSsh(target, options);
  try {
    const patient = (surveyMs: number) => {
      const patience = observedPatienceS(target.patience ?? defaultPatienceS, surveyMs);
      return { ...session, limits: timeLimits(patience) };
    };
    const startMs = performance.now();
    const { slice, agentDirectory } = target;
    const mayReach = mayReachSocket({ ...target, user: session.target.user });
    const reach = async (directory: string | undefined, patience: SshSession) =>
      mayReach ? reachRunning(patience, { slice, directory }, bundle, options) : undefined;
    const running = await reach(agentDirectory, session);
    if (running !== undefined) return connectionOf(patient(surveyPerHello * (performance.now() - startMs)), running);
    const prepared = await prepareNode(session, target, bundle, options);
    const slow = patient(prepared.surveyMs);
    const { survey, program = [] } = prepared;
    if (mayReach && survey.root === 'login' && !survey.hasSocket) {
      await startAgent(slow, survey, { slice, program }, options);
      const started = await reach(survey.directory, slow);
      if (started !== undefined) return connectionOf(slow, started);
    }
    const attached = await attachCurrent(slow, prepared.command, bundle, options);
    return connectionOf(slow, attached, survey.root === 'unneeded' ? program : undefined);
  } catch (error) {
    session.close();
    throw error;
  }
}

/** How much longer a survey takes than `hello`: about ten processes instead of one. */
const surveyPerHello = 5;

/**
 * Whether to try the agent's socket: only root may connect, a userspace node needs what the survey finds, and the
 * program `ssh` only runs commands.
 */
function mayReachSocket({ user, agentDirectory, userspacePort, ssh }: AgentTarget): boolean {
  if (ssh?.transport === 'openssh' || userspacePort !== undefined) return false;
  return user === 'root' || agentDirectory !== undefined;
}

/** A userspace agent is brought where to receive tunnel packets: at all addresses of its node. */
function policyFor({ userspacePort }: AgentTarget, policy: Policy): Policy {
  if (userspacePort === undefined) return policy;
  return { ...policy, userspace: { address: '0.0.0.0', port: userspacePort } };
}

/** The connections that were made, and by node why the others were not. */
export interface Connected {
  readonly connections: AgentConnection[];
  readonly failures: ReadonlyMap<string, unknown>;
}

/**
 * Connects to all nodes, `concurrency` at a time. When some fail, the others are closed, and one error names each
 * failed node: `unreachable` if one of them is, otherwise as the first; `interrupted` names one.
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

/**
 * As `connectAgents`, but keeps the connections that were made. `connectOne` makes them; its errors are those of
 * `connectAgent`.
 */
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

/** Returns one error for all faults. */
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

interface Prepared {
  readonly survey: NodeSurvey;
  readonly surveyMs: number;
  /** Attaches to the agent. */
  readonly command: string;
  /** The words of the agent's program; absent where the login may only attach. */
  readonly program?: readonly string[];
}

/** Makes sure that the agent is there. */
async function prepareNode(
  session: SshSession,
  { slice, userspacePort }: AgentTarget,
  bundle: AgentBundle,
  { policy, signal }: AgentOptions,
): Promise<Prepared> {
  const startMs = performance.now();
  const survey = await surveyNode(session, slice, bundle.digest, signal, { needsRoot: userspacePort === undefined });
  const surveyMs = performance.now() - startMs;
  const looked = { survey, surveyMs };
  if (survey.root === 'rule') return { ...looked, command: installedCommand(session, slice, bundle, survey) };
  if (survey.root === 'none') {
    throw new VnmError(
      'unsupported',
      `the login '${session.target.user}' of ${nameOf(session.target)} is not root and may not become root (sudo -n)`,
      { hint: rootHint(survey, session.target.user) },
    );
  }
  const runtime = await deliver(session, survey, bundle, signal);
  const program = [runtime, `${survey.lib}/${agentFileName(bundle)}`];
  if (survey.root === 'unneeded') program.unshift('env', `PL_VNM_DIR=${survey.directory}`);
  const command = `${asRoot(survey)}${program.join(' ')} attach --slice ${slice} --policy ${encodePolicy(policy)}`;
  return { ...looked, command, program };
}

/**
 * Returns the one command that the login may run as root. Only exactly the same agent is accepted: no other is known to
 * understand the same requests.
 */
function installedCommand(session: SshSession, slice: string, bundle: AgentBundle, survey: NodeSurvey): string {
  if (survey.installed === bundle.digest) return `sudo -n ${attachCommand(survey.lib, slice)}`;
  const installed = survey.installed?.slice(0, 12) ?? 'unknown';
  throw new VnmError(
    'unsupported',
    `the agent installed on ${nameOf(session.target)} for slice '${slice}' (digest ${installed}) differs from that of this pl-vnm (version ${bundle.version}, digest ${bundle.digest.slice(0, 12)})`,
    {
      hint: `have the administrator of the node run, with this version: pl-vnm agent install SLICE.yaml --node ${session.target.node}`,
    },
  );
}

function connectionOf(session: SshSession, { channel, facts }: Attached, program?: readonly string[]): AgentConnection {
  const listeners = new Set<(error?: VnmError) => void>();
  let isOurs = false;
  let isOver = false;
  const ended = channel.ended.then((error) => (isOurs ? undefined : error));
  void ended.then((error) => {
    isOver = true;
    // Without its agent the session is useless.
    session.close();
    for (const listener of listeners) listener(error);
    listeners.clear();
  });
  return {
    node: session.target.node,
    facts,
    limits: session.limits,
    call: withConfirmation(patientCall(session, channel), session.limits.confirmMs),
    exec: session.exec,
    stream: session.stream,
    ...(program === undefined ? {} : { program }),
    onClose: (listener) => {
      // A promise would keep the listeners for as long as the connection lasts.
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
