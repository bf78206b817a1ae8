/** Calls that give up an agent that does not answer: no later call uses the same dead channel. */
import { setTimeout as sleep } from 'node:timers/promises';
import { VnmError } from '../model/errors.ts';
import { secondsText } from '../model/patience.ts';
import type { AgentChannel } from './agent-channel.ts';
import { nameOf, patienceHint } from './ssh-errors.ts';
import type { SshSession } from './ssh-session.ts';

/**
 * As the channel's `call`. Without its own `timeoutMs`, a request has the node's limit, and while it runs the agent
 * must keep answering other requests: it does its long work in parallel. Otherwise the channel is abandoned with that
 * error.
 */
export function patientCall({ target, limits }: SshSession, channel: AgentChannel): AgentChannel['call'] {
  let isOver = false;
  void channel.ended.then(() => {
    isOver = true;
  });
  const giveUp = (what: string): VnmError => {
    const hint = patienceHint("see the agent's log on the node");
    const error = new VnmError('timeout', `the agent on ${nameOf(target)} ${what}, so the connection was closed`, {
      hint,
    });
    channel.abandon(error);
    return error;
  };

  /** Runs until the signal aborts. The request itself notices the end of the channel. */
  async function watch(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(limits.questionMs, undefined, { signal, ref: false });
      await channel.call('clock', {}, { timeoutMs: limits.silenceMs, signal });
    }
  }

  return async (method, params, options = {}) => {
    if (options.timeoutMs !== undefined) return channel.call(method, params, options);
    const done = new AbortController();
    watch(done.signal).catch((error: unknown) => {
      if (done.signal.aborted || !(error instanceof VnmError) || error.code !== 'timeout') return;
      giveUp(`has not answered for ${secondsText(limits.silenceMs)} during '${method}'`);
    });
    try {
      return await channel.call(method, params, { ...options, timeoutMs: limits.answerMs });
    } catch (error) {
      if (isOver || !(error instanceof VnmError) || error.code !== 'timeout') throw error;
      throw giveUp(`did not answer '${method}' within ${secondsText(limits.answerMs)}`);
    } finally {
      done.abort();
    }
  };
}
