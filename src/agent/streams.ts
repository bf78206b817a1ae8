/**
 * Streams of numbered UDP packets: the test traffic that a node sends, and a count of what arrives (DESIGN: steps 4 and
 * 6).
 */
import type { Params, Results } from '../vsys/messages.ts';
import type { Endpoints } from './dataplane/endpoints.ts';
import type { StreamClock } from './streams/clock.ts';
import { inUse, notSent, tooManyStreams, tooMuchTraffic, unknownStream } from './streams/errors.ts';
import { createPacer } from './streams/pacer.ts';
import { createReceiver, type Receiver } from './streams/receiver.ts';
import { createSender, type Sender } from './streams/sender.ts';

/** How long a stream may be without packets and requests before it is dropped: its controller has gone. */
const idleMs = 2 * 3_600_000;
const idleCheckMs = 60_000;

const nothingReceived = { received: 0, duplicated: 0, reordered: 0, maxGapMs: 0, dropped: 0 };

export interface StreamLimits {
  /** The most streams at a time. */
  readonly streams: number;
  /** The most payload bits per second of all sending streams together. */
  readonly trafficBps: number;
}

export interface Streams {
  /** Receives the stream on a port of `address`. Throws VnmError `conflict`, `forbidden`, `not-found` (the address). */
  open(params: Params<'stream_open'>): Promise<Results['stream_open']>;
  /** Begins to send the stream. Throws VnmError `conflict`, `forbidden`, `not-found` (the address `from`). */
  send(params: Params<'stream_send'>): Promise<Results['stream_send']>;
  /** Stops sending and resolves when the kernel has the last packet. Throws VnmError `not-found`. */
  stop(params: Params<'stream_stop'>): Promise<Results['stream_stop']>;
  /** Returns what was sent and received so far; `close` ends and forgets the stream. Throws VnmError `not-found`. */
  report(params: Params<'stream_report'>): Promise<Results['stream_report']>;
  /** Ends and forgets all streams; the last call. */
  closeAll(): Promise<void>;
}

/** A stream on this node: its receiving end, its sending end, or both. */
interface Stream {
  receiver?: Receiver;
  sender?: Sender;
  /** Monotonic ms. */
  lastRequestMs: number;
}

/** The streams of one agent. Memory per stream: at most 13 MB for its sequence numbers and 64 KiB for its delays. */
export function createStreams(
  endpoints: Pick<Endpoints, 'openUdp'>,
  clock: StreamClock,
  limits: StreamLimits,
): Streams {
  const streams = new Map<string, Stream>();
  const pacer = createPacer(clock);
  const idleCheck = setInterval(dropIdle, idleCheckMs).unref();

  function claim(id: string): Stream {
    const existing = streams.get(id);
    if (existing === undefined && streams.size >= limits.streams) throw tooManyStreams(id, limits.streams);
    const stream = existing ?? { lastRequestMs: 0 };
    stream.lastRequestMs = clock.monotonicMs();
    streams.set(id, stream);
    return stream;
  }

  function find(id: string): Stream {
    const stream = streams.get(id);
    if (stream === undefined) throw unknownStream(id);
    stream.lastRequestMs = clock.monotonicMs();
    return stream;
  }

  /** Cleans up after a failed start: the id is free again unless the stream's other end exists. */
  function release(id: string, stream: Stream, end: 'receiver' | 'sender'): void {
    delete stream[end];
    if (stream.receiver === undefined && stream.sender === undefined) forget(id, stream);
  }

  function forget(id: string, stream: Stream): void {
    if (streams.get(id) === stream) streams.delete(id);
  }

  async function drop(id: string, stream: Stream): Promise<void> {
    forget(id, stream);
    await Promise.all([stream.receiver?.close(), stream.sender?.stop()]);
  }

  function dropIdle(): void {
    const nowMs = clock.monotonicMs();
    for (const [id, stream] of streams) if (nowMs - lastUseMs(stream, nowMs) > idleMs) void drop(id, stream);
  }

  function sendingBps(): number {
    return [...streams.values()].reduce((sum, { sender }) => sum + (sender?.currentBps() ?? 0), 0);
  }

  return {
    async open({ stream: id, ...ends }) {
      if (streams.get(id)?.receiver !== undefined) throw inUse(id, 'received');
      const stream = claim(id);
      const receiver = createReceiver(endpoints, id, ends, clock);
      stream.receiver = receiver;
      try {
        return { port: await receiver.port };
      } catch (error) {
        release(id, stream, 'receiver');
        await receiver.close();
        throw error;
      }
    },
    async send(params) {
      const id = params.stream;
      if (streams.get(id)?.sender !== undefined) throw inUse(id, 'sent');
      const taken = sendingBps();
      if (taken + params.rateBps > limits.trafficBps)
        throw tooMuchTraffic(id, params.rateBps, taken, limits.trafficBps);
      const stream = claim(id);
      const sender = createSender(endpoints, params, clock, pacer);
      stream.sender = sender;
      try {
        await sender.started;
        return {};
      } catch (error) {
        release(id, stream, 'sender');
        await sender.stop();
        throw error;
      }
    },
    async stop({ stream: id }) {
      const { sender } = find(id);
      if (sender === undefined) throw notSent(id);
      await sender.stop();
      return { sent: sender.sent() };
    },
    async report({ stream: id, close, until }) {
      const stream = find(id);
      if (until !== undefined) await stream.receiver?.arrival(until.packets, until.quietMs);
      if (close) await stream.sender?.stop();
      const received = (await stream.receiver?.report(close)) ?? nothingReceived;
      if (close) await drop(id, stream);
      return { sent: stream.sender?.sent() ?? 0, ...received };
    },
    async closeAll() {
      clearInterval(idleCheck);
      await Promise.all([...streams].map(([id, stream]) => drop(id, stream)));
    },
  };
}

/** Returns the monotonic ms of the last request or packet. */
function lastUseMs(stream: Stream, nowMs: number): number {
  if (stream.sender !== undefined && !stream.sender.ended()) return nowMs;
  return Math.max(stream.lastRequestMs, stream.receiver?.lastPacketMs() ?? Number.NEGATIVE_INFINITY);
}
