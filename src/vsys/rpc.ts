/**
 * The vsys protocol between controller and agent: JSON-RPC 2.0, framed by Content-Length, over any pair of byte
 * streams. Errors travel as `{code, message, data: {code, hint}}` and come out as the VnmError that went in.
 */
import { setMaxListeners } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { ErrorCodes, ResponseError } from 'vscode-jsonrpc/node';
import * as z from 'zod';
import { VnmError } from '../model/errors.ts';
import { timeLimits } from '../model/patience.ts';
import { fromResponseError, openChannel, toResponseError } from './channel.ts';
import type { Method, Params, ParamsInput, Results } from './messages.ts';
import { parseMethod, parseParams } from './params.ts';

export interface CallOptions {
  /** Two minutes by default. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RpcClient {
  /**
   * Sends one request. Throws the VnmError that the other end answers, `invalid-input` for bad parameters,
   * `unreachable` when the channel is lost, `timeout` after `timeoutMs`, `interrupted` when `signal` aborts.
   */
  call<M extends Method>(method: M, params: ParamsInput<M>, options?: CallOptions): Promise<Results[M]>;
  /** Called once the channel is closed, by either end. */
  onClose(listener: () => void): void;
  close(): void;
}

/** `ended` aborts when the channel of the request has ended: the answer then reaches no one. */
export type Handlers = {
  readonly [M in Method]: (params: Params<M>, ended?: AbortSignal) => Promise<Results[M]>;
};

export interface RpcServer {
  /** Resolves when the channel has closed, with the reason if one end gave any. */
  readonly closed: Promise<VnmError | undefined>;
  close(): void;
  /** Closes the channel and sends the client the reason. */
  refuse(error: VnmError): void;
  /** Whether requests are in progress: while there are too many, nothing from the client is read. */
  isBusy(): boolean;
  /** Asks the client how long it may be silent (ms); returns undefined if it does not say or the channel has ended. */
  ping(): Promise<number | undefined>;
}

/** The one method that the server calls; every answer to it is a sign of life. A client may add `silentMs`. */
const pingMethod = 'ping';
const pingAnswer = z.object({ silentMs: z.number().positive() });

/** The other end may hang while its channel stays open. */
const patienceMs = timeLimits().answerMs;

/** `silentMs`: how long the server is to consider a silent client alive; without it the server decides. */
export function createRpcClient(input: Readable, output: Writable, silentMs?: number): RpcClient {
  const channel = openChannel(input, output, true);
  const { connection, closed } = channel;
  connection.onRequest(pingMethod, (): object => (silentMs === undefined ? {} : { silentMs }));
  connection.listen();

  async function request(method: Method, params: unknown): Promise<unknown> {
    try {
      return await connection.sendRequest(method, params);
    } catch (error) {
      if (channel.isClosed() || !output.writable) throw lost(method, await closed);
      if (error instanceof ResponseError && error.code === ErrorCodes.MessageWriteError) {
        throw new VnmError('invalid-input', `${method}: ${error.message}`);
      }
      throw fromResponseError(error as ResponseError<unknown>);
    }
  }

  return {
    async call<M extends Method>(method: M, params: ParamsInput<M>, options: CallOptions = {}): Promise<Results[M]> {
      const checked = parseParams(method, params);
      const { timeoutMs = patienceMs, signal } = options;
      return (await withLimits(() => request(method, checked), method, { timeoutMs, signal })) as Results[M];
    },
    onClose: (listener) => void closed.then(listener),
    close: channel.close,
  };
}

/** Serves one channel until it is closed. The handlers get checked parameters. */
export function serveRpc(input: Readable, output: Writable, handlers: Handlers): RpcServer {
  const { connection, closed, close, refuse, isBusy } = openChannel(input, output);
  const ending = new AbortController();
  // Each request that uses it adds a listener.
  setMaxListeners(0, ending.signal);
  void closed.then(() => ending.abort());
  connection.onRequest(async (method: string, params: unknown) => {
    try {
      return await answer(handlers, parseMethod(method), params, ending.signal);
    } catch (error) {
      throw toResponseError(error);
    }
  });
  connection.listen();
  const ping = async () => {
    try {
      return pingAnswer.safeParse(await connection.sendRequest(pingMethod)).data?.silentMs;
    } catch {
      // The channel ended before the answer; `closed` reports that.
      return undefined;
    }
  };
  return { closed, close, refuse, isBusy, ping };
}

function answer<M extends Method>(
  handlers: Handlers,
  method: M,
  params: unknown,
  ended: AbortSignal,
): Promise<Results[M]> {
  return handlers[method](parseParams(method, params), ended);
}

/** Drops an answer that comes too late. */
async function withLimits<T>(send: () => Promise<T>, method: Method, { timeoutMs, signal }: CallOptions): Promise<T> {
  const interrupted = () => new VnmError('interrupted', `'${method}' was interrupted`, { cause: signal?.reason });
  if (signal?.aborted) throw interrupted();
  const answer = send();
  let timer: NodeJS.Timeout | undefined;
  let abort = () => {};
  const limit = new Promise<never>((_resolve, reject) => {
    abort = () => reject(interrupted());
    signal?.addEventListener('abort', abort);
    if (timeoutMs === undefined) return;
    const late = () => reject(new VnmError('timeout', `no answer to '${method}' within ${timeoutMs} ms`));
    timer = setTimeout(late, timeoutMs);
  });
  try {
    return await Promise.race([answer, limit]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

function lost(method: Method, reason: VnmError | undefined): VnmError {
  const why = reason === undefined ? '' : `: ${reason.message}`;
  return new VnmError('unreachable', `the channel closed before '${method}' was answered${why}`, { cause: reason });
}
