/** From an SSH session to a channel with the slice's agent. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../model/errors.ts';
import { secondsText } from '../model/patience.ts';
import type { NodeFacts } from '../vsys/messages.ts';
import type { Policy } from '../vsys/policy.ts';
import { runDirectory } from './admin-survey.ts';
import type { AgentBundle } from './agent-bundle.ts';
import { type AgentChannel, agentChannel, openAgentChannel } from './agent-channel.ts';
import { nameOf, patienceHint } from './ssh-errors.ts';
import type { SshSession } from './ssh-session.ts';

export interface Attached {
  readonly channel: AgentChannel;
  readonly facts: NodeFacts;
}

/** The agent that a connection needs. */
interface Wanted {
  readonly policy: Policy;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects to the socket of an agent that runs, which takes no process on the node. Returns undefined if that does not
 * lead to an agent like the wanted one, for whatever reason: attaching then finds out, and can start or replace it.
 * Throws `timeout`, `interrupted`, and as `SshSession.openSocket`.
 */
export async function reachRunning(
  session: SshSession,
  { slice, directory }: { slice: string; directory?: string | undefined },
  bundle: AgentBundle,
  { policy, signal }: Wanted,
): Promise<Attached | undefined> {
  const socket = await session.openSocket(
    `${runDirectory(directory === undefined ? {} : { directory })}/${slice}.sock`,
  );
  if (socket === undefined) return undefined;
  try {
    const attached = await greet(session, agentChannel(session, socket), signal);
    if (isCurrent(attached.facts, bundle, policy)) return attached;
    attached.channel.close();
  } catch (error) {
    if (!(error instanceof VnmError) || error.code === 'timeout' || error.code === 'interrupted') throw error;
  }
  return undefined;
}

/** Whether it is this program's agent, with the wanted policy unless its node has one for it. */
function isCurrent({ agent, policyFile, policy: its }: NodeFacts, bundle: AgentBundle, policy: Policy): boolean {
  return agent.digest === bundle.digest && (policyFile !== false || isDeepStrictEqual(its, policy));
}

/**
 * Attaches to the slice's agent. First stops, once, a running agent of another version, or one that was brought another
 * policy and has nothing installed: the slice file has changed since.
 */
export async function attachCurrent(
  session: SshSession,
  command: string,
  bundle: AgentBundle,
  { policy, signal }: Wanted,
): Promise<Attached> {
  const isOld = (facts: NodeFacts) => !isCurrent(facts, bundle, policy);
  const first = await attach(session, command, signal);
  if (!isOld(first.facts)) return first;
  await endAgent(session, first.channel, signal);
  const second = await attach(session, command, signal);
  if (!isOld(second.facts)) return second;
  const { version, digest, pid } = second.facts.agent;
  throw new VnmError(
    'failed',
    `the agent on ${nameOf(session.target)} still differs from that of this pl-vnm after a shutdown (version ${version}, digest ${digest.slice(0, 12)}, pid ${pid})`,
    { hint: 'check whether a controller of another version uses this slice at the same time' },
  );
}

/** Asks the agent to stop, and waits until it has. Throws VnmError `conflict` while something is armed. */
export async function endAgent(
  { limits }: SshSession,
  channel: AgentChannel,
  signal: AbortSignal | undefined,
): Promise<void> {
  await channel.call('shutdown', {}, { timeoutMs: limits.stepMs, signal }).catch((error: unknown) => {
    // The agent may be gone before its answer arrives.
    if (!(error instanceof VnmError) || error.code !== 'unreachable') throw error;
  });
  // The channel ends with the agent; until then another attempt would meet the same agent. The next call reports an
  // interruption.
  const patience = sleep(limits.stepMs, undefined, { ref: false, ...(signal && { signal }) }).catch(() => undefined);
  await Promise.race([channel.ended, patience]);
  channel.close();
}

/** Opens a channel with a command that attaches. Throws as `openAgentChannel` and its calls. */
export async function attach(session: SshSession, command: string, signal: AbortSignal | undefined): Promise<Attached> {
  return greet(session, await openAgentChannel(session, command), signal);
}

async function greet(session: SshSession, channel: AgentChannel, signal: AbortSignal | undefined): Promise<Attached> {
  try {
    const facts = await channel.call('hello', {}, { timeoutMs: session.limits.startMs, signal });
    return { channel, facts: { plane: 'kernel', ...facts } };
  } catch (error) {
    channel.close();
    if (!(error instanceof VnmError) || error.code !== 'timeout') throw error;
    const what = `the agent on ${nameOf(session.target)} did not start and answer within ${secondsText(session.limits.startMs)}`;
    throw new VnmError('timeout', what, { hint: patienceHint("see the agent's log on the node"), cause: error });
  }
}
