/** One end of a channel: the library's JSON-RPC connection over a guarded pair of streams, and how it ends. */
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

/** Messages that may be under way; at that number no more are read until one has been dealt with. */
const maxMessages = 32;

/** A long message of the day is a few KiB. */
const maxNoiseBytes = 256 * 1024;

/** Time for the other end to read why it is refused. */
const farewellMs = 1000;

export interface Channel {
  readonly connection: MessageConnection;
  /** Resolves when either end has closed it, with the reason if it was one end's fault. */
  readonly closed: Promise<VnmError | undefined>;
  isClosed(): boolean;
  /** Whether a request is under way here: at too many of them nothing more is read. */
  isBusy(): boolean;
  close(): void;
  /** Tells the other end why by an error without id, takes nothing any more, and closes it. */
  refuse(error: VnmError): void;
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

/** What `accept` refuses the library does not see; what it throws is an error of the reader. */
class CheckedReader extends StreamMessageReader {
  readonly #accept: (message: Message) => boolean;

  constructor(input: Readable, accept: (message: Message) => boolean) {
    super(input);
    this.#accept = accept;
    // The timer that tells of unfinished messages would go on for ever, also when the channel has been closed.
    this.partialMessageTimeout = 0;
  }

  override listen(callback: DataCallback): Disposable {
    return super.listen((message) => {
      if (this.#accept(message)) callback(message);
    });
  }
}

/**
 * Opens a channel. Whatever is no message (garbage, too large, not JSON, neither request nor answer, an id that is under way
 * already) is answered once, by an error without id as JSON-RPC has it, and closes the channel. `isClient`: what came in before the
 * other end closed is dealt with first, for it may say why, and what a login's shell prints between messages is passed over.
 */
export function openChannel(input: Readable, output: Writable, isClient = false): Channel {
  const incoming = new FrameGuard(maxMessageBytes, maxMessages, isClient ? maxNoiseBytes : 0);
  const reader = new CheckedReader(incoming, accept);
  const writer = new StreamMessageWriter(output, { contentTypeEncoder: { name: 'application/json', encode } });
  const connection = createMessageConnection(reader, writer, undefined, { messageStrategy: { handleMessage } });
  /** The library keeps one message per id: of two it would deal with the second alone. */
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

  /** What the other end has sent, or is just sending, must not break off what it is about to read. */
  function destroyLater(): void {
    input.once('end', () => input.destroy());
    setTimeout(() => input.destroy(), farewellMs).unref();
  }

  /** The other end has closed it. */
  function ended(): void {
    if (!isClient) end();
    if (isClosed) return;
    incoming.whenIdle(() => end(incoming.complaint()));
    // Half a message may have come.
    setTimeout(() => end(), farewellMs).unref();
  }

  /** From now on nothing is taken any more. */
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

  /** False for what comes behind a refusal. Throws for what is no message. */
  function accept(message: Message): boolean {
    if (isRefused) return false;
    if (!isMessage(message)) throw new Error('neither request nor answer');
    const key = keyOf(message);
    if (key === undefined) return true;
    if (underWay.has(key)) throw new Error(`another ${oneLine(key)} is under way`);
    underWay.add(key);
    return true;
  }

  /** Settles when the message has been dealt with: a request, when its answer is written. */
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

/** What the library tells messages apart by, if it does. Throws for an id that no answer could bear. */
function keyOf(message: Message): string | undefined {
  const { id } = message as { id?: unknown };
  if (typeof id === 'number' && !Number.isFinite(id)) throw new Error('an id that is no number');
  if (id === undefined || id === null) return undefined;
  return `${Message.isRequest(message) ? 'request' : 'answer'} with the id ${JSON.stringify(String(id))}`;
}

/** The other end could not make a message of what we sent. */
function isRefusal(message: Message): message is ResponseMessage & { error: { message: string } } {
  return Message.isResponse(message) && message.id === null && typeof message.error?.message === 'string';
}

function invalidMessage(why: string): VnmError {
  return new VnmError('invalid-input', `not a JSON-RPC message: ${oneLine(why.slice(0, 200))}`);
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
