/** One channel to the agent of a slice: makes calls, and explains why the channel ended. */
import type { Readable } from 'node:stream';
import { VnmError } from '../model/errors.ts';
import type { Method, ParamsInput, Results } from '../vsys/messages.ts';
import { type CallOptions, createRpcClient } from '../vsys/rpc.ts';
import { nameOf } from './ssh-errors.ts';
import type { SshSession } from './ssh-session.ts';
import type { SshChannel } from './ssh-types.ts';

export interface AgentChannel {
  /**
   * Throws the agent's errors, and `timeout`, `interrupted`; when the channel ends before the answer `unreachable`, or
   * `failed` if the agent has never answered.
   */
  call<M extends Method>(method: M, params: ParamsInput<M>, options?: CallOptions): Promise<Results[M]>;
  /** Why the channel ended, once it has. */
  readonly ended: Promise<VnmError>;
  close(): void;
  /** Ends the channel from this side, whatever the network does: calls in progress fail at once with the error. */
  abandon(error: VnmError): void;
}

/** Starts the command, which must speak the vsys protocol. Throws as `SshSession.openChannel`. */
export async function openAgentChannel(session: SshSession, command: string): Promise<AgentChannel> {
  return agentChannel(session, await session.openChannel(command));
}

/** Makes calls over an open channel, whose other end is an agent. */
export function agentChannel(session: SshSession, channel: SshChannel): AgentChannel {
  const said = keepLast(channel.stderr, 4096);
  const rpc = createRpcClient(channel, channel, session.limits.answerMs);
  const place = nameOf(session.target);
  let answered = false;
  let closing = false;
  let over = false;
  let fault: VnmError | undefined;
  const explain = (status: number | string | undefined): VnmError => {
    if (closing) return new VnmError('unreachable', `the connection to the agent on ${place} is closed`);
    const how = typeof status === 'string' ? ` by ${status}` : status === undefined ? '' : ` with exit code ${status}`;
    if (fault !== undefined && isRefusal(fault)) {
      const code = answered ? 'unreachable' : fault.code;
      return new VnmError(code, `the agent on ${place} ended the connection: ${fault.message}`, { hint: fault.hint });
    }
    const what = [fault?.message, said()].filter((one) => one !== undefined && one !== '').join(': ');
    const why = what === '' ? '' : `: ${what}`;
    return answered
      ? new VnmError('unreachable', `the agent on ${place} ended${how}${why}`, {
          hint: 'try again: that restarts the agent',
        })
      : attachingFailed(place, how, why, status === undefined || fault !== undefined);
  };
  const { promise: ended, resolve: end } = Promise.withResolvers<VnmError>();
  session.onClose((error) => {
    if (error !== undefined) end(error);
  });
  channel.on('close', (code?: number | null, signal?: string) => end(explain(code ?? signal)));
  rpc.onClose(() => {
    over = true;
    channel.close();
    // A server may never report that the channel is closed.
    setTimeout(() => end(explain(undefined)), session.limits.questionMs).unref();
    // Node.js reports the end of the channel only when everything that arrived has been read.
    channel.resume();
  });
  return {
    ended,
    close: () => {
      closing = true;
      channel.close();
    },
    abandon: (error) => {
      end(error);
      rpc.close();
    },
    call: async (method, params, options) => {
      try {
        const result = await rpc.call(method, params, options);
        answered = true;
        return result;
      } catch (error) {
        if (!(error instanceof VnmError)) throw error;
        if (error.code === 'timeout') throw late(place, error);
        if (!over || error.code !== 'unreachable') throw error;
        // The protocol may have ended the channel because what arrived was not a message.
        if (error.cause instanceof VnmError) fault = error.cause;
        throw await ended;
      }
    },
  };
}

/** Whether the agent gave the reason; otherwise it was the input or the network. */
function isRefusal({ code }: VnmError): boolean {
  return code !== 'invalid-input' && code !== 'unreachable';
}

/** `isStrange`: the reason does not come from the agent. */
function attachingFailed(place: string, how: string, why: string, isStrange: boolean): VnmError {
  const what = `attaching to the agent on ${place} failed${how}${why}`;
  if (!isStrange) return new VnmError('failed', what);
  return new VnmError('unreachable', what, {
    hint: "see the log of the node's SSH server and the output of the login's shell",
  });
}

function late(place: string, error: VnmError): VnmError {
  return new VnmError('timeout', `the agent on ${place}: ${error.message}`, { hint: error.hint, cause: error });
}

/** Reads the stream; the returned function gives the last `bytes` of its text. */
function keepLast(stream: Readable, bytes: number): () => string {
  let last = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    last = Buffer.concat([last, chunk]).subarray(-bytes);
  });
  return () => last.toString().trim();
}
