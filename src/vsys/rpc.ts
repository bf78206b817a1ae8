/**
 * The vsys protocol between controller and agent: JSON-RPC 2.0, framed by Content-Length, over any pair of byte streams.
 * Errors travel as `{code, message, data: {code, hint}}` and come out as the VnmError that went in.
 */
import type { Readable, Writable } from 'node:stream';
import { ErrorCodes, ResponseError } from 'vscode-jsonrpc/node';
import { VnmError } from '../model/errors.ts';
import { fromResponseError, openChannel, toResponseError } from './channel.ts';
import type { Method, Params, ParamsInput, Results } from './messages.ts';
import { parseMethod, parseParams } from './params.ts';

export interface CallOptions {
  /** Two minutes without it. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RpcClient {
  /**
   * One request. Throws the VnmError that the other end answers, `invalid-input` for bad parameters, `unreachable` when the
   * channel is or gets lost, `timeout` after `timeoutMs`, `interrupted` when `signal` aborts.
   */
  call<M extends Method>(method: M, params: ParamsInput<M>, options?: CallOptions): Promise<Results[M]>;
  /** Called once the channel is closed, by either end. */
  onClose(listener: () => void): void;
  close(): void;
}

export type Handlers = { readonly [M in Method]: (params: Params<M>) => Promise<Results[M]> };

export interface RpcServer {
  /** With the reason, if one end gave any. */
  readonly closed: Promise<VnmError | undefined>;
  close(): void;
}

/** The other end may hang, and its channel stay open. */
const patienceMs = 120_000;

export function createRpcClient(input: Readable, output: Writable): RpcClient {
  const channel = openChannel(input, output);
  const { connection, closed } = channel;
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
  const { connection, closed, close } = openChannel(input, output);
  connection.onRequest(async (method: string, params: unknown) => {
    try {
      return await answer(handlers, parseMethod(method), params);
    } catch (error) {
      throw toResponseError(error);
    }
  });
  connection.listen();
  return { closed, close };
}

function answer<M extends Method>(handlers: Handlers, method: M, params: unknown): Promise<Results[M]> {
  return handlers[method](parseParams(method, params));
}

/** An answer that comes too late is dropped. */
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
