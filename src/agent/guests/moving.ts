/**
 * Moves the guest of a machine to another node with its memory (VN Clone, section III).
 *
 *     here:   running ──copy 'running'──► copying ──► running, and the copy waits to be read
 *             running ──copy 'suspend', 'live'──► copying ──► standing ──goOn──► running
 *     there:  none ──put incoming──► arriving ──the last part──► arrived ──goOn──► running
 *
 * The record says the step. An agent that finds `copying` lets the guest go on, one that finds `arriving` ends the
 * machine: neither copy is complete. `standing` and `arrived` stay until the controller says which of them goes on.
 */
import { once } from 'node:events';
import {
  closeSync,
  createWriteStream,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { messageOf, VnmError } from '../../model/errors.ts';
import { type MachineCopy, maxCopyPart } from '../../vsys/machine.ts';
import type { Params, Results } from '../../vsys/messages.ts';
import type { Log } from '../log.ts';
import { copyMachine, letGoOn, receiveCopy } from '../machines/copy.ts';
import { continueMachine, endMachine } from '../machines/running.ts';
import type { GuestPlace } from './place.ts';
import type { GuestMove } from './records.ts';

type Asked<M extends 'machine_copy' | 'machine_copy_read' | 'machine_copy_write'> = Omit<Params<M>, 'ticket'>;

export interface GuestMoving {
  /** Each throws VnmError `not-found`, `conflict`, `failed`. */
  copy(params: Asked<'machine_copy'>): Promise<Results['machine_copy']>;
  read(params: Asked<'machine_copy_read'>): Promise<Results['machine_copy_read']>;
  write(params: Asked<'machine_copy_write'>): Promise<void>;
  goOn(namespace: string): Promise<void>;
}

/** A machine, as far as moves change it. */
export interface MovingGuest {
  readonly place: GuestPlace;
  readonly machine: { readonly memoryMib: number };
  move?: GuestMove | undefined;
  state: 'running' | 'restarting' | 'failed' | 'moving';
}

export interface GuestMovesParts {
  /** Throws VnmError `not-found`. */
  readonly find: (namespace: string) => MovingGuest;
  /** Writes the record, with the step of the move. */
  readonly note: (one: MovingGuest) => void;
  /** Forgets a machine that has ended. */
  readonly drop: (namespace: string) => Promise<void>;
  readonly inTurn: <T>(namespace: string, body: () => Promise<T>) => Promise<T>;
  readonly log: Log;
}

/** A copy under way that is read while it is made. */
interface Live {
  readonly stream: PassThrough;
  readonly copied: Promise<MachineCopy>;
  offset: number;
}

interface Arriving {
  readonly stream: PassThrough;
  readonly received: Promise<void>;
  offset: number;
}

/** What QEMU may be ahead of the reader. */
const aheadBytes = 1024 * 1024;
/** As QEMU has it. */
const liveDowntimeMs = 300;
/** How long to wait for more of a live copy than has come, so that not every packet becomes a message. */
const gatherMs = 5;
/** Enough to see how fast the node writes, little to wait for. */
const sampleBytes = 16 * 1024 * 1024;

export function createGuestMoves({ find, note, drop, inTurn, log }: GuestMovesParts) {
  const copyings = new Map<string, AbortController>();
  const lives = new Map<string, Live>();
  const arrivings = new Map<string, Arriving>();

  function begin(one: MovingGuest, move: GuestMove, state: MovingGuest['state']): void {
    one.move = move;
    one.state = state;
    note(one);
  }

  function isRunningAgain(one: MovingGuest): void {
    delete one.move;
    one.state = 'running';
    note(one);
  }

  /** Copies the guest into a stream. Without `live` the copy is complete when this resolves. */
  async function copy({ namespace, how }: Asked<'machine_copy'>): Promise<Results['machine_copy']> {
    return inTurn(namespace, async () => {
      const one = find(namespace);
      if (one.state !== 'running' || copyings.has(namespace))
        throw new VnmError(
          'conflict',
          `the machine in '${namespace}' is ${one.move ?? one.state}, so it is not copied`,
        );
      const { folder } = one.place;
      rmSync(copyOf(folder), { force: true });
      const writeBytesPerS = how === 'live' ? undefined : sampleWrite(folder);
      begin(one, 'copying', how === 'running' ? 'running' : 'moving');
      const aborted = new AbortController();
      copyings.set(namespace, aborted);
      const isLive = how === 'live';
      const stream = isLive
        ? new PassThrough({ highWaterMark: aheadBytes })
        : createWriteStream(copyOf(folder), { mode: 0o600 });
      const options = {
        suspend: how === 'suspend',
        goOn: how === 'running',
        signal: aborted.signal,
        ...(isLive ? { downtimeMs: liveDowntimeMs } : {}),
      };
      const copied = copyMachine(folder, stream, options).then(
        (result) => {
          copyings.delete(namespace);
          if (how === 'running') isRunningAgain(one);
          else begin(one, 'standing', 'moving');
          return result;
        },
        (error: unknown) => {
          copyings.delete(namespace);
          rmSync(copyOf(folder), { force: true });
          isRunningAgain(one);
          throw error;
        },
      );
      if (!isLive) return { ...(await copied), ...(writeBytesPerS === undefined ? {} : { writeBytesPerS }) };
      copied.catch((error) => log(`machine in '${namespace}': ${messageOf(error)}`));
      lives.set(namespace, { stream: stream as PassThrough, copied, offset: 0 });
      return {};
    });
  }

  async function read({
    namespace,
    offset,
    compress,
  }: Asked<'machine_copy_read'>): Promise<Results['machine_copy_read']> {
    const live = lives.get(namespace);
    const part = live === undefined ? readPart(copyOf(find(namespace).place.folder), offset) : await next(live, offset);
    const data = compress && part.length > 0 ? await promisify<Buffer, object, Buffer>(gzip)(part, { level: 1 }) : part;
    const copy = part.length === 0 && live !== undefined ? await live.copied : undefined;
    if (copy !== undefined) lives.delete(namespace);
    return { data: data.toString('base64'), bytes: part.length, ...(copy === undefined ? {} : { copy }) };
  }

  async function next(live: Live, offset: number): Promise<Buffer> {
    if (offset !== live.offset) throw new VnmError('conflict', `the copy was read up to ${live.offset}, not ${offset}`);
    const part = await readSome(live.stream, live.copied);
    live.offset += part.length;
    return part;
  }

  async function write({ namespace, offset, data, compressed }: Asked<'machine_copy_write'>): Promise<void> {
    const one = find(namespace);
    // The copy says itself where it ends.
    if (one.move === 'arrived' && data === '') return;
    if (one.move !== 'arriving') throw new VnmError('conflict', `the machine in '${namespace}' waits for no copy`);
    const arriving = arrivings.get(namespace) ?? receive(namespace, one);
    if (offset !== arriving.offset)
      throw new VnmError('conflict', `the copy has ${arriving.offset} bytes so far, not ${offset}`);
    const bytes = Buffer.from(data, 'base64');
    const part = compressed && bytes.length > 0 ? await unzip(bytes) : bytes;
    arriving.offset += part.length;
    if (part.length > 0) {
      if (!arriving.stream.write(part)) await Promise.race([once(arriving.stream, 'drain'), arriving.received]);
      return;
    }
    arriving.stream.end();
    await arriving.received;
    log(`machine in '${namespace}': a copy of ${arriving.offset} bytes is complete`);
  }

  function receive(namespace: string, one: MovingGuest): Arriving {
    const stream = new PassThrough({ highWaterMark: aheadBytes });
    const { folder } = one.place;
    const received = receiveCopy({ folder, memoryMib: one.machine.memoryMib }, stream).then(
      () => {
        arrivings.delete(namespace);
        begin(one, 'arrived', 'moving');
      },
      async (error: unknown) => {
        arrivings.delete(namespace);
        stream.destroy();
        await drop(namespace);
        throw error;
      },
    );
    // Who writes the next part sees it.
    received.catch(() => {});
    const arriving = { stream, received, offset: 0 };
    arrivings.set(namespace, arriving);
    return arriving;
  }

  async function goOn(namespace: string): Promise<void> {
    copyings.get(namespace)?.abort(new VnmError('conflict', `the copy of the machine in '${namespace}' was given up`));
    return inTurn(namespace, async () => {
      const one = find(namespace);
      const { folder } = one.place;
      const live = lives.get(namespace);
      lives.delete(namespace);
      await live?.copied.catch(() => {});
      if (one.move === 'arriving')
        throw new VnmError('conflict', `the copy of the machine in '${namespace}' is not complete`);
      if (one.move === 'standing') await letGoOn(folder);
      if (one.move === 'arrived') await continueMachine(folder);
      rmSync(copyOf(folder), { force: true });
      if (one.move === undefined) return;
      isRunningAgain(one);
      log(`machine in '${namespace}': its guest goes on here`);
    });
  }

  return {
    moving: { copy, read, write, goOn } satisfies GuestMoving,
    /** Of a machine that is to be ended: nothing of its moves goes on. */
    async giveUp(namespace: string): Promise<void> {
      copyings.get(namespace)?.abort(new VnmError('conflict', `the machine in '${namespace}' was ended`));
      await lives.get(namespace)?.copied.catch(() => {});
      lives.delete(namespace);
      const arriving = arrivings.get(namespace);
      arriving?.stream.destroy(new VnmError('conflict', `the machine in '${namespace}' was ended`));
      arrivings.delete(namespace);
    },
    /** What an agent does about a move that it finds. Returns whether the machine still counts. */
    async resume(one: MovingGuest): Promise<boolean> {
      const { folder } = one.place;
      if (one.move === 'arriving') {
        await endMachine(folder);
        return false;
      }
      if (one.move === 'copying') {
        await letGoOn(folder);
        rmSync(copyOf(folder), { force: true });
        isRunningAgain(one);
      }
      if (one.move !== undefined) one.state = 'moving';
      return true;
    },
  };
}

const copyOf = (folder: string) => join(folder, 'memory');

/** Resolves to what is there; an empty buffer at the end. Throws what the copying throws. */
async function readSome(stream: Readable, copied: Promise<unknown>): Promise<Buffer> {
  for (;;) {
    // More comes at once, unless the guest has nothing to add.
    if (stream.readableLength > 0 && stream.readableLength < aheadBytes) await sleep(gatherMs);
    const size = Math.min(stream.readableLength, maxCopyPart);
    const chunk = size > 0 ? (stream.read(size) as Buffer | null) : null;
    if (chunk !== null) return chunk;
    if (stream.readableEnded) return Buffer.alloc(0);
    if (stream.destroyed) await copied;
    stream.read(0);
    await Promise.race([once(stream, 'readable'), once(stream, 'end'), once(stream, 'close')]);
  }
}

async function unzip(bytes: Buffer): Promise<Buffer> {
  try {
    return await promisify<Buffer, object, Buffer>(gunzip)(bytes, { maxOutputLength: maxCopyPart });
  } catch (error) {
    throw new VnmError('invalid-input', `not a part of a copy: ${messageOf(error)}`, { cause: error });
  }
}

function readPart(path: string, offset: number): Buffer {
  if (!existsSync(path)) throw new VnmError('not-found', 'there is no copy of the machine');
  const file = openSync(path, 'r');
  try {
    const part = Buffer.alloc(Math.min(maxCopyPart, Math.max(0, fstatSync(file).size - offset)));
    return part.subarray(0, readSync(file, part, 0, part.length, offset));
  } finally {
    closeSync(file);
  }
}

/** How many bytes per second the node writes into the folder, as formula (1) of VN Clone has it. */
function sampleWrite(folder: string): number {
  const path = join(folder, 'sample');
  const bytes = Buffer.alloc(sampleBytes, 1);
  const beganAtMs = performance.now();
  writeFileSync(path, bytes);
  const tookMs = performance.now() - beganAtMs;
  const { size } = statSync(path);
  rmSync(path);
  return (size / tookMs) * 1000;
}
