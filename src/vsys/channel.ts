/** One end of a channel: the library's JSON-RPC connection over a guarded pair of streams, and how it ends. */
import type { Readable, Writable } from 'node:stream';
import {
  createMessageConnection,
  ErrorCodes,
  Message,
  type MessageConnection,
  ResponseError,
  type ResponseMessage,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import { type ErrorCode, errorCodes, messageOf, VnmError } from '../model/errors.ts';
import { FrameGuard } from './frame-guard.ts';
import { maxMessageBytes } from './messages.ts';

/** Messages that may be under way; at that number no more are read until one has been dealt with. */
const maxMessages = 32;

export interface Channel {
  readonly connection: MessageConnection;
  /** Resolves when either end has closed it, with the reason if it was one end's fault. */
  readonly closed: Promise<VnmError | undefined>;
  isClosed(): boolean;
  close(): void;
}

/** An error as it travels. */
export function toResponseError(error: unknown): ResponseError<{ code: ErrorCode; hint?: string }> {
  const { code, hint } = error instanceof VnmError ? error : { code: 'failed' as const, hint: undefined };
  const number = code === 'invalid-input' ? ErrorCodes.InvalidParams : ErrorCodes.InternalError;
  return new ResponseError(number, messageOf(error), { code, ...(hint === undefined ? {} : { hint }) });
}

/** The VnmError that the other end threw. */
export function fromResponseError({ message, data }: { message: string; data?: unknown }): VnmError {
  const { code, hint } = (data ?? {}) as { code?: unknown; hint?: unknown };
  const known = errorCodes.find((candidate) => candidate === code) ?? 'failed';
  return new VnmError(known, message, { hint: typeof hint === 'string' ? hint : undefined });
}

/**
 * Opens a channel. Whatever is no message (garbage, too large, not JSON, neither request nor answer) is answered once, by an
 * error without id as JSON-RPC has it, and closes the channel.
 */
export function openChannel(input: Readable, output: Writable): Channel {
  const incoming = new FrameGuard(maxMessageBytes, maxMessages);
  const reader = new StreamMessageReader(incoming);
  const writer = new StreamMessageWriter(output, { contentTypeEncoder: { name: 'application/json', encode } });
  const connection = createMessageConnection(reader, writer, undefined, { messageStrategy: { handleMessage } });
  let isClosed = false;
  let resolveClosed: (reason: VnmError | undefined) => void;
  const closed = new Promise<VnmError | undefined>((resolve) => {
    resolveClosed = resolve;
  });

  function end(reason?: VnmError): void {
    if (isClosed) return;
    isClosed = true;
    input.unpipe(incoming);
    connection.dispose();
    output.end(() => input.destroy());
    resolveClosed(reason);
  }

  function refuse(error: VnmError): void {
    if (isClosed) return;
    const answer: ResponseMessage = { jsonrpc: '2.0', id: null, error: toResponseError(error).toJson() };
    writer.write(answer).then(
      () => end(error),
      () => end(error),
    );
  }

  /** Settles when the message has been dealt with: a request, when its answer is written. */
  async function handleMessage(message: Message, next: (message: Message) => unknown): Promise<void> {
    try {
      if (!isMessage(message)) refuse(invalidMessage('neither request nor answer'));
      else if (!isRefusal(message)) await next(message);
      else end(fromResponseError(message.error));
    } finally {
      incoming.release();
    }
  }

  for (const stream of new Set([input, output])) {
    stream.on('error', (error) => end(new VnmError('unreachable', messageOf(error))));
    stream.once('close', () => end());
  }
  input.once('end', () => end());
  incoming.on('error', (error) => refuse(error as VnmError));
  reader.onError((error) => refuse(invalidMessage(error.message)));
  input.pipe(incoming);
  return { connection, closed, isClosed: () => isClosed, close: () => end() };
}

function isMessage(message: Message): boolean {
  return Message.isRequest(message) || Message.isNotification(message) || Message.isResponse(message);
}

/** The other end could not make a message of what we sent. */
function isRefusal(message: Message): message is ResponseMessage & { error: { message: string } } {
  return Message.isResponse(message) && message.id === null && typeof message.error?.message === 'string';
}

function invalidMessage(why: string): VnmError {
  return new VnmError('invalid-input', `not a JSON-RPC message: ${why.slice(0, 200)}`);
}

/** Answers that are too large become an error; requests fail at their sender. */
async function encode(message: Message): Promise<Uint8Array> {
  const bytes = Buffer.from(JSON.stringify(message));
  if (bytes.length <= maxMessageBytes) return bytes;
  const error = new VnmError(
    'invalid-input',
    `a message of ${bytes.length} bytes is larger than the ${maxMessageBytes} that are taken`,
  );
  const { id, method } = message as { id?: unknown; method?: unknown };
  if (method !== undefined) throw error;
  return Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error: toResponseError(error).toJson() }));
}
