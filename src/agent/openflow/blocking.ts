/** A connection to a switch, driven without the event loop, so that the timing thread can time its changes exactly. */
import { readSync, writeSync } from 'node:fs';
import { decode, encode, errorWords, type Message, types } from './messages.ts';

/** A change waits so long at most: others may be due. */
const patienceMs = 1000;
/** The socket does not block. Between two looks the switch, which may need this processor, gets some time. */
const pauseMs = 0.05;
/** Of a question whose answer is not waited for. */
const idleXid = 0xfffffffe;

export class BlockingSwitch {
  readonly #fd: number;
  readonly #chunk = Buffer.alloc(65_536);
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  #rest: Buffer = Buffer.alloc(0);

  /** `fd`: from `OpenFlowConnection.handOver`, whose owner closes it. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Asks something without waiting for the answer: a process that has just run runs again sooner. */
  wake(): void {
    this.#write(encode(types.echoRequest, idleXid));
  }

  /** Sends a change (`changeOf`), and returns when it is in effect: the error, if any. */
  change(bytes: Uint8Array, xid: number): string | undefined {
    let refusal: string | undefined;
    this.#write(bytes);
    for (const endMs = performance.now() + patienceMs; performance.now() < endMs; ) {
      for (const message of this.#read()) {
        if (message.type === types.echoRequest) this.#write(encode(types.echoReply, message.xid, message.body));
        if (message.xid !== xid) continue;
        if (message.type === types.error) refusal ??= errorWords(message.body);
        if (message.type === types.barrierReply) return refusal === undefined ? undefined : `the switch: ${refusal}`;
      }
    }
    return `the switch did not answer for ${patienceMs} ms`;
  }

  #write(bytes: Uint8Array): void {
    for (let written = 0; written < bytes.length; ) {
      try {
        written += writeSync(this.#fd, bytes, written);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        this.#pause();
      }
    }
  }

  /** Returns what has arrived; waits a little if that is nothing. */
  #read(): Message[] {
    let count: number;
    try {
      count = readSync(this.#fd, this.#chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      this.#pause();
      return [];
    }
    if (count === 0) throw new Error('the switch closed the connection');
    const { messages, rest } = decode(Buffer.concat([this.#rest, this.#chunk.subarray(0, count)]));
    this.#rest = rest;
    return messages;
  }

  #pause(): void {
    Atomics.wait(this.#never, 0, 0, pauseMs);
  }
}
