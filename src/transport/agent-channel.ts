/** One channel to the agent of a slice: calls go through it, and its end is explained. */
import type { Readable } from 'node:stream';
import { VnmError } from '../model/errors.ts';
import type { Method, ParamsInput, Results } from '../vsys/messages.ts';
import { type CallOptions, createRpcClient } from '../vsys/rpc.ts';
import { nameOf } from './ssh-errors.ts';
import type { SshSession } from './ssh-session.ts';

export interface AgentChannel {
  /**
   * Errors of the agent, and `timeout`, `interrupted`; when the channel ends before the answer `unreachable`, or `failed` if
   * the agent has never answered.
   */
  call<M extends Method>(method: M, params: ParamsInput<M>, options?: CallOptions): Promise<Results[M]>;
  /** Why the channel ended, once it has. */
  readonly ended: Promise<VnmError>;
  close(): void;
  /** Ends it from here, whatever the network does: what waits for an answer fails at once with the error. */
  abandon(error: VnmError): void;
}

/** Starts the command, which must speak the vsys protocol. Throws as `SshSession.openChannel`. */
export async function openAgentChannel(session: SshSession, command: string): Promise<AgentChannel> {
  const channel = await session.openChannel(command);
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
          hint: 'try again, which starts it again',
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
    // A server may never say that the channel is closed.
    setTimeout(() => end(explain(undefined)), session.limits.questionMs).unref();
    // Node.js reports its end only when all that came in has been read.
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
        // It may be the protocol that ended it, for what came in was no message.
        if (error.cause instanceof VnmError) fault = error.cause;
        throw await ended;
      }
    },
  };
}

/** Whether the agent gave the reason; else it was what came in, or the way. */
function isRefusal({ code }: VnmError): boolean {
  return code !== 'invalid-input' && code !== 'unreachable';
}

/** `isStrange`: it is not the agent that said why. */
function attachingFailed(place: string, how: string, why: string, isStrange: boolean): VnmError {
  const what = `attaching to the agent on ${place} failed${how}${why}`;
  if (!isStrange) return new VnmError('failed', what);
  return new VnmError('unreachable', what, {
    hint: "see the log of the node's SSH server, and what the login's shell prints",
  });
}

function late(place: string, error: VnmError): VnmError {
  return new VnmError('timeout', `the agent on ${place}: ${error.message}`, { hint: error.hint, cause: error });
}

/** Reads the stream, and gives the last `bytes` of its text when asked. */
function keepLast(stream: Readable, bytes: number): () => string {
  let last = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    last = Buffer.concat([last, chunk]).subarray(-bytes);
  });
  return () => last.toString().trim();
}
