import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { kernelEndpoints } from '../../src/agent/dataplane/kernel/endpoints.ts';
import { encodeHeader, streamPrefix } from '../../src/agent/streams/datagram.ts';
import { createReceiver } from '../../src/agent/streams/receiver.ts';
import { createStreams, type StreamLimits, type Streams } from '../../src/agent/streams.ts';

const here = '127.61.4.1';
const there = '127.61.4.2';
const hourMs = 3_600_000;

let skipMs = 0;
const clock = {
  wallMs: () => performance.timeOrigin + performance.now(),
  monotonicMs: () => performance.now() + skipMs,
};

const made: Streams[] = [];
function streamsOf(limits: Partial<StreamLimits> = {}): Streams {
  const streams = createStreams(kernelEndpoints, clock, { streams: 10, trafficBps: 1e9, ...limits });
  made.push(streams);
  return streams;
}

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(made.splice(0).map((streams) => streams.closeAll()));
});

/** Parameters of `send`: 2,000 packets per second of 100 bytes by default. */
/** No one receives there, and an ordinary user may send from it. */
const closedPort = 19_009;

function sending(stream: string, port: number, more: { count?: number; to?: string; rateBps?: number } = {}) {
  return { stream, from: here, to: there, port, payloadBytes: 100, rateBps: 1_600_000, ...more };
}

async function untilSent(streams: Streams, stream: string, count: number): Promise<void> {
  const report = () => streams.report({ stream, close: false });
  await vi.waitFor(async () => expect((await report()).sent).toBe(count), { timeout: 30_000, interval: 5 });
}

describe('a stream', () => {
  it('a stream delivers each packet once and in order from one agent to another', async () => {
    const [sender, receiver] = [streamsOf(), streamsOf()];
    const { port } = await receiver.open({ stream: 'a-b', address: there });
    expect(await sender.send(sending('a-b', port, { count: 500 }))).toEqual({});
    await untilSent(sender, 'a-b', 500);
    expect(await sender.stop({ stream: 'a-b' })).toEqual({ sent: 500 });
    expect(await sender.report({ stream: 'a-b', close: true })).toEqual({
      sent: 500,
      received: 0,
      duplicated: 0,
      reordered: 0,
      maxGapMs: 0,
      dropped: 0,
    });
    const { maxGapMs, delayMs, ...counts } = await receiver.report({ stream: 'a-b', close: true });
    expect(counts).toEqual({ sent: 0, received: 500, duplicated: 0, reordered: 0, dropped: 0 });
    expect(maxGapMs).toBeGreaterThan(0);
    expect(delayMs!.min).toBeLessThanOrEqual(delayMs!.median);
    expect(delayMs!.p99).toBeLessThanOrEqual(delayMs!.max);
  });

  it('a stream without a count continues until it is stopped, and all that was sent by then has arrived', async () => {
    const streams = streamsOf();
    const { port } = await streams.open({ stream: 'x', address: there });
    await streams.send(sending('x', port, { rateBps: 16_000_000 }));
    const report = () => streams.report({ stream: 'x', close: false });
    await vi.waitFor(async () => expect((await report()).received).toBeGreaterThan(1000), { timeout: 30_000 });
    const { sent } = await streams.stop({ stream: 'x' });
    expect(sent).toBeGreaterThan(1000);
    expect(await streams.stop({ stream: 'x' })).toEqual({ sent });
    // On a busy machine the socket may have been full.
    const { received, dropped, ...counts } = await streams.report({ stream: 'x', close: true });
    expect({ sent: counts.sent, arrived: received + dropped }).toEqual({ sent, arrived: sent });
  });

  it('a stream closed while it is sent reports exactly what was sent and received', async () => {
    const streams = streamsOf();
    const { port } = await streams.open({ stream: 'x', address: there });
    await streams.send(sending('x', port));
    await vi.waitFor(async () =>
      expect((await streams.report({ stream: 'x', close: false })).sent).toBeGreaterThan(20),
    );
    const { sent, received } = await streams.report({ stream: 'x', close: true });
    expect(received).toBe(sent);
  });

  it('a stream has the requested payload size, padded with zeros', async () => {
    const target = createSocket('udp4').bind(0, there);
    await once(target, 'listening');
    const arrival = once(target, 'message');
    await streamsOf().send(sending('x', target.address().port, { count: 1 }));
    const [datagram] = (await arrival) as [Buffer];
    expect(datagram.length).toBe(100);
    expect(datagram.subarray(0, 16).toString('hex')).toBe(`${streamPrefix('x').toString('hex')}00000000`);
    expect(datagram.subarray(24).every((byte) => byte === 0)).toBe(true);
    target.close();
  });

  it("a receiver first sends one packet to the sender's port, so that a firewall there knows the stream", async () => {
    const sender = createSocket('udp4');
    const streams = streamsOf();
    // The sender uses the same port as the receiver, whichever that is.
    const { port } = await streams.open({ stream: 'probe', address: there });
    await streams.report({ stream: 'probe', close: true });
    sender.bind(port, here);
    await once(sender, 'listening');
    const arrival = once(sender, 'message') as Promise<[Buffer, { port: number; address: string }]>;
    const receiver = createReceiver(kernelEndpoints, 'x', { address: there, sender: here, port }, clock);
    expect(await receiver.port).toBe(port);
    expect((await arrival)[1]).toMatchObject({ address: there, port });
    await receiver.close();
    sender.close();
  });

  it('a stream comes from the port that it goes to, or from any if that is taken', async () => {
    const target = createSocket('udp4').bind(0, there);
    await once(target, 'listening');
    const { port } = target.address();
    const next = async () => (await (once(target, 'message') as Promise<[Buffer, { port: number }]>))[1].port;
    const first = next();
    await streamsOf().send(sending('x', port, { count: 1 }));
    expect(await first).toBe(port);
    const taken = createSocket('udp4').bind(port, here);
    await once(taken, 'listening');
    const second = next();
    await streamsOf().send(sending('x', port, { count: 1 }));
    expect(await second).not.toBe(port);
    taken.close();
    target.close();
  });

  it('a stream counts duplicates and reordering, and ignores packets that do not belong to it', async () => {
    const streams = streamsOf();
    const { port } = await streams.open({ stream: 'x', address: there });
    const packet = (sequence: number, stream = 'x') => encodeHeader(streamPrefix(stream), { sequence, sentAtMs: 0 });
    const raw = createSocket('udp4').bind(0, here);
    await once(raw, 'listening');
    const datagrams = [0, 2, 1, 1, 5, 4, 3, 0, 6].map((sequence) => packet(sequence));
    for (const datagram of [...datagrams, packet(7, 'y'), Buffer.from('hello'), packet(100_000_000)]) {
      await new Promise<void>((sent) => raw.send(datagram, port, there, () => sent()));
    }
    raw.close();
    expect(await streams.report({ stream: 'x', close: false })).toMatchObject({
      received: 7,
      duplicated: 2,
      reordered: 3,
    });
  });

  it('a packet that the kernel refuses or no one receives counts as sent', async () => {
    const streams = streamsOf();
    await streams.send(sending('refused', closedPort, { count: 5, to: '127.255.255.255' }));
    await streams.send(sending('unheard', closedPort, { count: 5 }));
    await untilSent(streams, 'refused', 5);
    await untilSent(streams, 'unheard', 5);
  });

  it('a stream ends after an hour', async () => {
    const streams = streamsOf({ trafficBps: 1_600_000 });
    await streams.send(sending('old', closedPort));
    await expect(streams.send(sending('new', closedPort))).rejects.toMatchObject({ code: 'forbidden' });
    skipMs += hourMs;
    await vi.waitFor(() => streams.send(sending('new', closedPort)));
  });
});

describe('the streams of a node', () => {
  it('a report waits for packets, until they have arrived or none arrives for a while', async () => {
    const [sender, receiver] = [streamsOf(), streamsOf()];
    const { port } = await receiver.open({ stream: 'a-b', address: there });
    const until = (packets: number, quietMs: number) =>
      receiver.report({ stream: 'a-b', close: false, until: { packets, quietMs } });
    expect((await until(0, 30_000)).received).toBe(0);
    const early = until(3, 30_000);
    await sender.send(sending('a-b', port, { count: 4, rateBps: 8_000 }));
    expect((await early).received).toBeGreaterThanOrEqual(3);
    expect((await until(5, 500)).received).toBe(4);
  });

  it('a report that waits ends with the stream', async () => {
    const receiver = streamsOf();
    await receiver.open({ stream: 'a-b', address: there });
    const waiting = receiver.report({ stream: 'a-b', close: false, until: { packets: 1, quietMs: 60_000 } });
    await receiver.report({ stream: 'a-b', close: true });
    expect((await waiting).received).toBe(0);
  });

  it('an id can be used once for receiving and once for sending, until it is closed', async () => {
    const streams = streamsOf();
    const { port } = await streams.open({ stream: 'x', address: there });
    await streams.send(sending('x', port, { count: 1 }));
    await untilSent(streams, 'x', 1);
    const hint = 'close it with stream_report, or use another id';
    await expect(streams.open({ stream: 'x', address: there })).rejects.toMatchObject({
      code: 'conflict',
      message: "stream 'x' is already being received on this node",
      hint,
    });
    await expect(streams.send(sending('x', port))).rejects.toMatchObject({
      code: 'conflict',
      message: "stream 'x' is already being sent on this node",
      hint,
    });
    await streams.report({ stream: 'x', close: true });
    await streams.open({ stream: 'x', address: there });
  });

  it('an id is refused that two requests use at the same time', async () => {
    const streams = streamsOf();
    const opened = await Promise.allSettled([1, 2].map(() => streams.open({ stream: 'x', address: there })));
    expect(opened.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('requests for unknown streams are refused with the reason', async () => {
    const streams = streamsOf();
    const unknown = {
      code: 'not-found',
      message: "this node has no stream 'x'",
      hint: 'open it or send it first; a stream that is idle for two hours is dropped',
    };
    await expect(streams.report({ stream: 'x', close: true })).rejects.toMatchObject(unknown);
    await expect(streams.stop({ stream: 'x' })).rejects.toMatchObject(unknown);
    await streams.open({ stream: 'x', address: there });
    await expect(streams.stop({ stream: 'x' })).rejects.toMatchObject({
      code: 'not-found',
      message: "this node receives stream 'x' but does not send it",
      hint: 'stop it on the node that sends it',
    });
  });

  it('a node keeps to the limit of streams', async () => {
    const streams = streamsOf({ streams: 1 });
    const { port } = await streams.open({ stream: 'x', address: there });
    await streams.send(sending('x', port, { count: 1 }));
    await expect(streams.open({ stream: 'y', address: there })).rejects.toMatchObject({
      code: 'forbidden',
      message: "cannot add stream 'y': at most 1 streams are allowed on this node",
      hint: 'close finished streams, or raise limits.streams in the policy of the node',
    });
    await streams.report({ stream: 'x', close: true });
    await streams.open({ stream: 'y', address: there });
  });

  it('a node keeps to the limit of the rates of all sending streams', async () => {
    const streams = streamsOf({ trafficBps: 2_000_000 });
    await streams.send(sending('x', closedPort, { rateBps: 1_200_000 }));
    await expect(streams.send(sending('y', closedPort, { rateBps: 800_001 }))).rejects.toMatchObject({
      code: 'forbidden',
      message: "stream 'y' asks for 800001 bit/s, but 1200000 of the 2000000 bit/s allowed on this node are in use",
      hint: 'stop other streams, lower the rate, or raise limits.trafficBps in the policy of the node',
    });
    await streams.send(sending('y', closedPort, { rateBps: 800_000 }));
    await streams.stop({ stream: 'x' });
    await streams.send(sending('z', closedPort, { rateBps: 1_200_000 }));
  });

  it('a stream with an address of another node is refused, and its id stays free', async () => {
    const streams = streamsOf({ streams: 1 });
    const foreign = {
      code: 'not-found',
      message: '192.0.2.1 is not an address of this node',
      hint: 'give an address of an interface of the node itself (not of a router namespace)',
    };
    await expect(streams.open({ stream: 'x', address: '192.0.2.1' })).rejects.toMatchObject(foreign);
    await expect(streams.send({ ...sending('x', closedPort), from: '192.0.2.1' })).rejects.toMatchObject(foreign);
    await streams.open({ stream: 'y', address: there });
  });

  it('streams are gone after closeAll, with their sockets, even while they are being opened', async () => {
    const streams = streamsOf();
    const { port } = await streams.open({ stream: 'x', address: there });
    await streams.send(sending('x', port));
    const opening = streams.open({ stream: 'y', address: there });
    await streams.closeAll();
    await opening;
    for (const stream of ['x', 'y']) {
      await expect(streams.report({ stream, close: false })).rejects.toMatchObject({ code: 'not-found' });
    }
    const again = createSocket('udp4').bind(port, there);
    await once(again, 'listening');
    again.close();
  });

  it('streams are dropped after two idle hours, and kept while in use', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const streams = streamsOf();
    await streams.open({ stream: 'idle', address: there });
    await streams.open({ stream: 'used', address: there });
    skipMs += hourMs;
    await streams.report({ stream: 'used', close: false });
    skipMs += hourMs + 1;
    vi.advanceTimersByTime(60_000);
    await expect(streams.report({ stream: 'idle', close: false })).rejects.toMatchObject({ code: 'not-found' });
    await streams.report({ stream: 'used', close: false });
  });
});
