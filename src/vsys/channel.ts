/** One end of a channel: the library's JSON-RPC connection over a guarded pair of streams, and how the channel ends. */
import type { Readable, Writable } from 'node:stream';
import {
  createMessageConnection,
  type DataCallback,
  type Disposable,
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
import { oneLine } from './params.ts';

/** The most messages in progress: at that number no more are read until one has been handled. */
const maxMessages = 32;

/** The most bytes between messages: a long message of the day is a few KiB. */
const maxNoiseBytes = 256 * 1024;

/** Time for the other end to read why it is refused. */
const farewellMs = 1000;

export interface Channel {
  readonly connection: MessageConnection;
  /** Resolves when either end has closed the channel, with the reason if one end was at fault. */
  readonly closed: Promise<VnmError | undefined>;
  isClosed(): boolean;
  /** Whether a request is in progress here: at too many of them nothing more is read. */
  isBusy(): boolean;
  close(): void;
  /** Sends the other end the reason as an error without id, accepts nothing more, and closes the channel. */
  refuse(error: VnmError): void;
}

/** Returns the error in the form in which it travels. */
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

/** Hides from the library what `accept` refuses; an error that `accept` throws becomes an error of the reader. */
class CheckedReader extends StreamMessageReader {
  readonly #accept: (message: Message) => boolean;

  constructor(input: Readable, accept: (message: Message) => boolean) {
    super(input);
    this.#accept = accept;
    // The timer that reports unfinished messages would run for ever, even after the channel is closed.
    this.partialMessageTimeout = 0;
  }

  override listen(callback: DataCallback): Disposable {
    return super.listen((message) => {
      if (this.#accept(message)) callback(message);
    });
  }
}

/**
 * Opens a channel. Anything that is not a message (garbage, too large, not JSON, neither request nor answer, an id that
 * is in use) gets one answer, an error without id as JSON-RPC has it, and closes the channel. `isClient`: messages that
 * arrived before the other end closed are handled first, because they may say why; text that a login shell prints
 * between messages is skipped.
 */
export function openChannel(input: Readable, output: Writable, isClient = false): Channel {
  const incoming = new FrameGuard(maxMessageBytes, maxMessages, isClient ? maxNoiseBytes : 0);
  const reader = new CheckedReader(incoming, accept);
  const writer = new StreamMessageWriter(output, { contentTypeEncoder: { name: 'application/json', encode } });
  const connection = createMessageConnection(reader, writer, undefined, { messageStrategy: { handleMessage } });
  /** The library keeps one message per id: of two with the same id it would handle only the second. */
  const underWay = new Set<string>();
  let isRefused = false;
  let isClosed = false;
  let resolveClosed: (reason: VnmError | undefined) => void;
  const closed = new Promise<VnmError | undefined>((resolve) => {
    resolveClosed = resolve;
  });

  function end(reason?: VnmError, destroy?: () => void): void {
    if (isClosed) return;
    isClosed = true;
    input.unpipe(incoming);
    connection.dispose();
    output.end(destroy ?? (() => input.destroy()));
    resolveClosed(reason);
  }

  /**
   * Destroys the input late: unread data from the other end would make that end lose the refusal before it reads it.
   */
  function destroyLater(): void {
    input.once('end', () => input.destroy());
    setTimeout(() => input.destroy(), farewellMs).unref();
  }

  /** Called when the other end has closed the channel. */
  function ended(): void {
    if (!isClient) end();
    if (isClosed) return;
    incoming.whenIdle(() => end(incoming.complaint()));
    // Half a message may have arrived.
    setTimeout(() => end(), farewellMs).unref();
  }

  /** Accepts nothing after this. */
  function refuse(error: VnmError): void {
    if (isClosed || isRefused) return;
    isRefused = true;
    input.unpipe(incoming);
    input.resume();
    const answer: ResponseMessage = { jsonrpc: '2.0', id: null, error: toResponseError(error).toJson() };
    writer.write(answer).then(
      () => end(error, destroyLater),
      () => end(error),
    );
  }

  /** Returns false for messages after a refusal. Throws for anything that is not a message. */
  function accept(message: Message): boolean {
    if (isRefused) return false;
    if (!isMessage(message)) throw new Error('neither request nor answer');
    const key = keyOf(message);
    if (key === undefined) return true;
    if (underWay.has(key)) throw new Error(`another ${oneLine(key)} is under way`);
    underWay.add(key);
    return true;
  }

  /** Settles when the message has been handled: for a request, when its answer is written. */
  async function handleMessage(message: Message, next: (message: Message) => unknown): Promise<void> {
    try {
      if (isRefusal(message)) end(fromResponseError(message.error));
      else await next(message);
    } finally {
      underWay.delete(keyOf(message) ?? '');
      incoming.release();
    }
  }

  for (const stream of new Set([input, output])) {
    stream.on('error', (error) => end(new VnmError('unreachable', messageOf(error))));
    stream.once('close', () => ended());
  }
  input.once('end', () => ended());
  incoming.on('error', (error) => refuse(error as VnmError));
  reader.onError((error) => refuse(invalidMessage(error.message)));
  input.pipe(incoming);
  return { connection, closed, isClosed: () => isClosed, isBusy: () => incoming.isBusy(), close: () => end(), refuse };
}

function isMessage(message: Message): boolean {
  return Message.isRequest(message) || Message.isNotification(message) || Message.isResponse(message);
}

/** Returns the key by which the library tells messages apart, if any. Throws for an id that no answer could carry. */
function keyOf(message: Message): string | undefined {
  const { id } = message as { id?: unknown };
  if (typeof id === 'number' && !Number.isFinite(id)) throw new Error('the id is not a finite number');
  if (id === undefined || id === null) return undefined;
  return `${Message.isRequest(message) ? 'request' : 'answer'} with the id ${JSON.stringify(String(id))}`;
}

/** Whether the other end reports that it could not read what we sent. */
function isRefusal(message: Message): message is ResponseMessage & { error: { message: string } } {
  return Message.isResponse(message) && message.id === null && typeof message.error?.message === 'string';
}

function invalidMessage(why: string): VnmError {
  return new VnmError('invalid-input', `not a JSON-RPC message: ${oneLine(why.slice(0, 200))}`);
}

/** Turns an answer that is too large into an error; a request that is too large fails at its sender. */
async function encode(message: Message): Promise<Uint8Array> {
  const bytes = Buffer.from(JSON.stringify(message));
  if (bytes.length <= maxMessageBytes) return bytes;
  const error = new VnmError('invalid-input', `message too large: ${bytes.length} bytes (at most ${maxMessageBytes})`);
  const { id, method } = message as { id?: unknown; method?: unknown };
  if (method !== undefined) throw error;
  return Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error: toResponseError(error).toJson() }));
}
