import { Transform, type TransformCallback } from 'node:stream';
import { VnmError } from '../model/errors.ts';
import { oneLine } from './params.ts';

const headerEnd = '\r\n\r\n';
const headerBegin = /content-(?:length|type): /i;
/** The longest incomplete beginning that may have arrived. */
const maxBeginning = 'content-length: '.length - 1;
/** Far more than the one or two header lines of a message need. */
const maxHeaderBytes = 1024;

/**
 * Stands before a message reader and passes only well-framed messages of at most `maxBytes`, at most `maxMessages` of
 * them before `release` is called: the reader alone would collect whatever arrives, for as long as it arrives. Anything
 * else ends the stream with VnmError `invalid-input`.
 */
export class FrameGuard extends Transform {
  readonly #maxBytes: number;
  readonly #maxMessages: number;
  #messages = 0;
  #header = '';
  #bodyBytesLeft = 0;
  #goOn: (() => void) | undefined;
  #onIdle: (() => void) | undefined;
  readonly #maxNoise: number;
  #noise = '';
  #noiseBytes = 0;

  /** `maxNoise`: how many bytes between messages may belong to no message. */
  constructor(maxBytes: number, maxMessages: number, maxNoise = 0) {
    super();
    this.#maxNoise = maxNoise;
    this.#maxBytes = maxBytes;
    this.#maxMessages = maxMessages;
  }

  /** Reports that one passed message has been handled. */
  release(): void {
    this.#messages -= 1;
    const goOn = this.#goOn;
    this.#goOn = undefined;
    goOn?.();
    if (this.#messages === 0) this.#onIdle?.();
  }

  /** Returns an error that quotes the noise, if nothing else arrived. */
  complaint(): VnmError | undefined {
    const text = this.#noise + this.#header;
    return this.#noiseBytes > 0 && text.trim() !== '' ? notFramed(text.trim(), 200) : undefined;
  }

  /** Whether a passed message has not been handled yet. */
  isBusy(): boolean {
    return this.#messages > 0;
  }

  /** Calls the listener once all passed messages have been handled. */
  whenIdle(listener: () => void): void {
    if (this.#messages === 0) listener();
    else this.#onIdle = listener;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let rest = chunk;
    try {
      while (rest.length > 0) {
        if (this.#bodyBytesLeft > 0) rest = this.#takeBody(rest);
        else if (this.#messages < this.#maxMessages) rest = this.#takeHeader(rest);
        else {
          this.#goOn = () => this._transform(rest, _encoding, done);
          return;
        }
      }
      done();
    } catch (error) {
      done(error as VnmError);
    }
  }

  #takeBody(chunk: Buffer): Buffer {
    const body = chunk.subarray(0, this.#bodyBytesLeft);
    this.#bodyBytesLeft -= body.length;
    this.push(body);
    return chunk.subarray(body.length);
  }

  #takeHeader(chunk: Buffer): Buffer {
    const known = this.#header.length;
    this.#header += chunk.toString('latin1', 0, maxHeaderBytes);
    const dropped = this.#dropNoise();
    const isNoise = this.#maxNoise > 0 && !headerBegin.test(this.#header);
    const end = isNoise ? -1 : this.#header.indexOf(headerEnd);
    if (end === -1) {
      if (this.#header.length >= maxHeaderBytes) throw notFramed(this.#header);
      return chunk.subarray(Math.min(chunk.length, maxHeaderBytes));
    }
    const header = this.#header.slice(0, end + headerEnd.length);
    this.#bodyBytesLeft = bodyLength(header, this.#maxBytes);
    this.#header = '';
    this.#messages += 1;
    this.push(header, 'latin1');
    // Only noise before the first message can explain why none came.
    this.#noise = '';
    return chunk.subarray(dropped + header.length - known);
  }

  /** Drops the noise before a header, and returns its length. A login shell may print anything. */
  #dropNoise(): number {
    if (this.#maxNoise === 0) return 0;
    const start = this.#header.search(headerBegin);
    const length = start === -1 ? Math.max(0, this.#header.length - maxBeginning) : start;
    this.#noise = (this.#noise + this.#header.slice(0, length)).slice(0, maxHeaderBytes);
    this.#noiseBytes += length;
    if (this.#noiseBytes > this.#maxNoise) throw notFramed(this.#noise);
    this.#header = this.#header.slice(length);
    return length;
  }
}

function bodyLength(header: string, maxBytes: number): number {
  const match =
    /^(?:content-type: [^\r\n]*\r\n)?content-length: (\d{1,15})\r\n(?:content-type: [^\r\n]*\r\n)?\r\n$/i.exec(header);
  const bytes = Number(match?.[1] ?? 0);
  if (bytes === 0) throw notFramed(header);
  if (bytes > maxBytes) {
    throw new VnmError('invalid-input', `message too large: ${bytes} bytes (at most ${maxBytes})`);
  }
  return bytes;
}

function notFramed(header: string, maxShown = 40): VnmError {
  return new VnmError(
    'invalid-input',
    `expected a message with Content-Length, got ${oneLine(JSON.stringify(header.slice(0, maxShown)))}`,
  );
}
