/** A connection to a switch over its Unix socket, which answers one request after the other. */
import { createConnection, type Socket } from 'node:net';
import { VnmError } from '../../model/errors.ts';
import {
  addEntry,
  askForEntries,
  changeOf,
  decode,
  deleteEntry,
  encode,
  errorWords,
  hello,
  type Message,
  parseEntries,
  types,
  type WireEntry,
} from './messages.ts';

/** A switch that does not answer for so long is as good as gone. */
const patienceMs = 5000;

export class OpenFlowConnection {
  readonly #socket: Socket;
  readonly #path: string;
  #rest: Buffer = Buffer.alloc(0);
  #xid = 0;
  #waiting: ((message: Message) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  private constructor(path: string, socket: Socket) {
    this.#path = path;
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail?.(error));
    socket.on('close', () => this.#fail?.(new Error('it closed the connection')));
  }

  /** Connects, and agrees on the version. Throws VnmError `failed`. */
  static async open(path: string): Promise<OpenFlowConnection> {
    const connection = new OpenFlowConnection(path, createConnection(path));
    try {
      await connection.#exchange(hello(0), (message, done) => {
        if (message.type === types.hello) connection.#socket.write(encode(types.featuresRequest, 1));
        else if (message.type === types.featuresReply) done();
      });
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /**
   * Makes the switch have exactly these entries of ours. Those that stay keep their counters, and are not touched.
   * Entries that others made stay, too. Throws VnmError `failed`; then nothing has changed.
   */
  async setEntries(wanted: readonly WireEntry[]): Promise<void> {
    const present = await this.entries();
    const [had, has] = [new Set(present.map(keyOf)), new Set(wanted.map(keyOf))];
    const [kept, matches] = [present.filter((entry) => !has.has(keyOf(entry))), new Set(wanted.map(matchOf))];
    await this.change([
      ...wanted.filter((entry) => !had.has(keyOf(entry))).map((entry) => (xid: number) => addEntry(xid, entry)),
      // One with the same match has been replaced.
      ...kept.filter((entry) => !matches.has(matchOf(entry))).map((entry) => (xid: number) => deleteEntry(xid, entry)),
    ]);
  }

  /** Returns the entries that agents made. Throws VnmError `failed`. */
  async entries(): Promise<Omit<WireEntry, 'instructions'>[]> {
    const found: Omit<WireEntry, 'instructions'>[] = [];
    this.#xid += 1;
    await this.#exchange(askForEntries(this.#xid), ({ type, body }, done) => {
      if (type !== types.multipartReply) return;
      const { entries, more } = parseEntries(body);
      found.push(...entries);
      if (!more) done();
    });
    return found;
  }

  /** Does the changes together, and resolves when they are in effect. Throws VnmError `failed`. */
  async change(mods: readonly ((xid: number) => Buffer)[]): Promise<void> {
    if (mods.length === 0) return;
    this.#xid += 1;
    await this.#exchange(changeOf(this.#xid, mods), ({ type }, done) => {
      if (type === types.barrierReply) done();
    });
  }

  /**
   * Stops reading, and returns the file descriptor for one who reads and writes without the event loop. It belongs to
   * this object still, which must be kept, and closed.
   */
  handOver(): number {
    this.#fail = undefined;
    // The only way from a socket to its descriptor, and to a stop of reading: a paused socket goes on for a while.
    const handle = (this.#socket as unknown as { _handle?: { fd: number; readStop(): void } | null })._handle;
    if (handle === undefined || handle === null) throw this.#failure('it closed the connection');
    handle.readStop();
    this.#socket.unref();
    return handle.fd;
  }

  close(): void {
    this.#socket.on('error', () => {});
    this.#socket.destroy();
  }

  /** `take` is called with every answer until it calls `done`. The first error that the switch reports counts. */
  async #exchange(bytes: Buffer, take: (message: Message, done: () => void) => void): Promise<void> {
    let refusal: string | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`it did not answer for ${patienceMs} ms`)), patienceMs);
        this.#fail = reject;
        this.#waiting = (message) => {
          if (message.type === types.error) refusal ??= errorWords(message.body);
          take(message, resolve);
          if (message.type === types.error && message.body.readUInt16BE(0) === 0) resolve();
        };
        this.#socket.write(bytes);
      });
    } catch (error) {
      throw this.#failure(error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
      this.#fail = undefined;
    }
    if (refusal !== undefined) throw this.#failure(refusal);
  }

  #take(chunk: Buffer): void {
    const { messages, rest } = decode(Buffer.concat([this.#rest, chunk]));
    this.#rest = rest;
    for (const message of messages) {
      if (message.type === types.echoRequest) this.#socket.write(encode(types.echoReply, message.xid, message.body));
      else this.#waiting?.(message);
    }
  }

  #failure(why: string): VnmError {
    return new VnmError('failed', `the switch at ${this.#path}: ${why}`);
  }
}

function keyOf(entry: Omit<WireEntry, 'instructions'>): string {
  return `${entry.cookie} ${matchOf(entry)}`;
}

/**
 * A switch may return the fields of a match in another order than it was given them; those of `wireEntry` are in the
 * order of their numbers.
 */
function matchOf({ priority, match }: Omit<WireEntry, 'instructions'>): string {
  return `${priority} ${match.toString('hex')}`;
}
