/** Watches over loopback. Timers and clock are fake; packets take real turns of the event loop. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setImmediate as realTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Endpoints, UdpEndpoint } from '../../src/agent/dataplane/endpoints.ts';
import { kernelEndpoints } from '../../src/agent/dataplane/kernel/endpoints.ts';
import { echoOf } from '../../src/agent/watches/echo.ts';
import { createLastingSocket } from '../../src/agent/watches/lasting-socket.ts';
import { decodePacket, encodePacket, watchPrefix } from '../../src/agent/watches/packet.ts';
import { createWatches, maxWatches, type Watches } from '../../src/agent/watches.ts';
import type { Params, WatchedTarget } from '../../src/vsys/messages.ts';

const here = '127.63.4.1';
const there = '127.63.4.2';

let nowMs = 0;
/** Reading the clock takes a little time. */
const clock = {
  monotonicMs: () => {
    nowMs += 0.001;
    return nowMs;
  },
};

const made: { close(): unknown }[] = [];
beforeEach(() => {
  nowMs = 1000;
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'],
  });
});
afterEach(async () => {
  await Promise.all(made.splice(0).map((thing) => thing.close()));
  vi.useRealTimers();
});

function watchesOf(slice = 'office'): Watches {
  const watches = createWatches(kernelEndpoints, slice, clock);
  made.push({ close: watches.closeAll });
  return watches;
}

/** Enough turns for a packet over loopback to be read and answered, and for the answer to be read. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 6; turn += 1) await realTurn();
}

/** Lets time pass while the process runs. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    nowMs += 10;
    vi.advanceTimersByTime(10);
    await turns();
  }
}

type Target = Params<'watch'>['targets'][number];

function watching(targets: readonly Target[], more: Partial<Params<'watch'>> = {}): Params<'watch'> {
  return { id: 'w', from: here, intervalMs: 100, timeoutMs: 50, targets: [...targets], ...more };
}

async function targetsOf(watches: Watches): Promise<readonly WatchedTarget[]> {
  return (await watches.report()).watches.flatMap(({ targets }) => targets);
}

/** A socket of the test, and what it received. */
async function listen(address: string): Promise<{ socket: Socket; port: number; came: [Buffer, RemoteInfo][] }> {
  const socket = createSocket('udp4').bind(0, address);
  await once(socket, 'listening');
  const came: [Buffer, RemoteInfo][] = [];
  socket.on('message', (...message) => came.push(message));
  made.push({ close: () => new Promise<void>((closed) => socket.close(closed)) });
  return { socket, port: socket.address().port, came };
}

describe('a watch', () => {
  it('a watch probes routers, by their closed ports, and other watches, by their echoes', async () => {
    const [watches, other] = [watchesOf(), watchesOf()];
    const { port } = await other.watch(watching([], { from: there }));
    await watches.watch(
      watching([
        { name: 'router', to: '127.63.4.3' },
        { name: 'agent', to: there, port },
      ]),
    );
    await pass(250);
    const seen = { sent: 3, answered: 3, missedInRow: 0, answeredInRow: 3 };
    const times = { rttMs: expect.any(Number), sinceAnswerMs: expect.any(Number) };
    expect(await targetsOf(watches)).toEqual([
      { name: 'router', ...seen, ...times },
      { name: 'agent', ...seen, ...times },
    ]);
    for (const { rttMs } of await targetsOf(watches)) expect(rttMs).toBeLessThan(1);
  });

  it('a watch misses targets that are silent, answer otherwise or are unreachable, and not those with a closed port', async () => {
    const [watches, silent, talker] = [watchesOf(), await listen(there), await listen(there)];
    talker.socket.on('message', (_probe, { port, address }) => talker.socket.send('hello', port, address));
    await watches.watch(
      watching([
        { name: 'silent', to: there, port: silent.port },
        { name: 'closed', to: there, port: 9 },
        { name: 'talker', to: there, port: talker.port },
        { name: 'broadcast', to: '127.255.255.255' },
      ]),
    );
    await pass(360);
    const missed = { sent: 4, answered: 0, missedInRow: 4, answeredInRow: 0 };
    expect(await targetsOf(watches)).toEqual(
      ['silent', 'closed', 'talker', 'broadcast'].map((name) =>
        name === 'closed' ? expect.objectContaining({ name, missedInRow: 0 }) : { name, ...missed },
      ),
    );
    expect(silent.came).toHaveLength(4);
    expect(talker.came).toHaveLength(4);
  });

  it('a watch notices when a target goes silent, and when it is back', async () => {
    const [watches, target] = [watchesOf(), await listen(there)];
    const prefix = watchPrefix('office');
    let isWell = true;
    target.socket.on('message', (probe, { port, address }) => {
      const echo = echoOf(prefix, probe, { port })!;
      if (isWell) target.socket.send(echo, port, address);
    });
    await watches.watch(watching([{ name: 'x', to: there, port: target.port }]));
    await pass(260);
    expect(await targetsOf(watches)).toMatchObject([{ answeredInRow: 3, missedInRow: 0 }]);
    isWell = false;
    await pass(200);
    expect(await targetsOf(watches)).toMatchObject([{ answered: 3, answeredInRow: 0, missedInRow: 2 }]);
    isWell = true;
    await pass(200);
    expect(await targetsOf(watches)).toMatchObject([{ sent: 7, answered: 5, answeredInRow: 2, missedInRow: 0 }]);
  });

  it('a watch counts no miss when the process was busy although the answer had arrived', async () => {
    const watches = watchesOf();
    await watches.watch(watching([{ name: 'router', to: there }]));
    await nextProbe();
    expect(await targetsOf(watches)).toMatchObject([{ sent: 1, answered: 0 }]);
    nowMs += 90;
    vi.advanceTimersToNextTimer();
    await turns();
    vi.advanceTimersToNextTimer();
    expect(await targetsOf(watches)).toMatchObject([{ sent: 1, answered: 1, missedInRow: 0 }]);
  });

  it('a watch also gets an answer that the kernel reports to the next probe', async () => {
    const watches = watchesOf();
    await watches.watch(watching([{ name: 'router', to: there }], { timeoutMs: 1000 }));
    await nextProbe();
    nowMs += 100;
    await nextProbe();
    expect(await targetsOf(watches)).toMatchObject([{ sent: 2, answered: 1 }]);
    await pass(1500);
    expect(await targetsOf(watches)).toMatchObject([
      { missedInRow: 0, answeredInRow: expect.toSatisfy((row) => row > 10) },
    ]);
  });

  it('a watch that wakes late forgets probes in progress, and sends no burst', async () => {
    const [watches, silent] = [watchesOf(), await listen(there)];
    await watches.watch(watching([{ name: 'x', to: there, port: silent.port }]));
    await pass(110);
    expect(await targetsOf(watches)).toMatchObject([{ sent: 2, missedInRow: 1 }]);
    nowMs += 5000;
    await pass(60);
    expect(await targetsOf(watches)).toMatchObject([{ sent: 3, missedInRow: 1 }]);
    await pass(100);
    expect(await targetsOf(watches)).toMatchObject([{ sent: 4, missedInRow: 2 }]);
  });

  it('a watch answers only probes of its slice, with the same size', async () => {
    const [watches, asker] = [watchesOf(), await listen(there)];
    const { port } = await watches.watch(watching([]));
    const prefix = watchPrefix('office');
    const probe = encodePacket(prefix, { kind: 'probe', sequence: 7 });
    const sent = [
      encodePacket(prefix, { kind: 'echo', sequence: 1 }),
      encodePacket(watchPrefix('other'), { kind: 'probe', sequence: 2 }),
      Buffer.concat([probe, Buffer.alloc(1)]),
      probe.subarray(0, 16),
      Buffer.alloc(0),
      probe,
    ];
    for (const packet of sent) asker.socket.send(packet, port, here);
    await turns();
    expect(asker.came.map(([packet]) => packet.toString('hex'))).toEqual([
      encodePacket(prefix, { kind: 'echo', sequence: 7 }).toString('hex'),
    ]);
  });
});

/** Sends a probe and reads nothing: runs the timer, the turn after it, and the end of that turn. */
async function nextProbe(): Promise<void> {
  vi.advanceTimersToNextTimer();
  vi.advanceTimersToNextTimer();
  await new Promise<void>((done) => process.nextTick(done));
}

describe('the watches of an agent', () => {
  it('a second request changes a watch: targets that stay the same continue, with the port', async () => {
    const watches = watchesOf();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name, to: there })) as [Target, Target, Target];
    const { port } = await watches.watch(watching([a, b]));
    await pass(110);
    expect(await watches.watch(watching([c, a]))).toEqual({ port });
    await pass(100);
    expect(await watches.report()).toMatchObject({
      watches: [
        {
          id: 'w',
          port,
          targets: [
            { name: 'c', sent: 1 },
            { name: 'a', sent: 3 },
          ],
        },
      ],
    });
    await watches.watch(watching([{ ...a, to: '127.63.4.3' }]));
    expect(await targetsOf(watches)).toMatchObject([{ name: 'a', sent: 0 }]);
    await watches.watch(watching([a], { intervalMs: 50 }));
    await pass(160);
    expect(await targetsOf(watches)).toMatchObject([{ name: 'a', sent: 3 }]);
  });

  it('watches keep their rounds however often they are changed', async () => {
    const watches = watchesOf();
    for (let time = 0; time < 10; time += 1) {
      await watches.watch(watching([{ name: 'a', to: there }]));
      await pass(30);
    }
    expect(await targetsOf(watches)).toMatchObject([{ sent: 3, answered: 3 }]);
  });

  it('a watch restarts from another address, and continues if that is missing', async () => {
    const watches = watchesOf();
    const targets = [{ name: 'a', to: there }];
    const { port } = await watches.watch(watching(targets));
    await pass(110);
    await expect(watches.watch(watching(targets, { from: '192.0.2.1' }))).rejects.toMatchObject({ code: 'not-found' });
    await pass(100);
    expect(await watches.report()).toMatchObject({ watches: [{ port, targets: [{ sent: 3 }] }] });
    const other = await watches.watch(watching(targets, { from: there }));
    expect(await watches.report()).toMatchObject({ watches: [{ port: other.port, targets: [{ sent: 0 }] }] });
    await listenOn(here, port);
  });

  it('requests for unknown watches, and from foreign addresses, are refused with the reason', async () => {
    const watches = watchesOf();
    await expect(watches.stop({ id: 'w' })).rejects.toMatchObject({
      code: 'not-found',
      message: "this node has no watch 'w'",
      hint: 'start it again; a watch ends if no controller asks for it within a minute',
    });
    await expect(watches.watch(watching([], { from: '192.0.2.1' }))).rejects.toMatchObject({
      code: 'not-found',
      message: '192.0.2.1 is not an address of this node',
    });
    expect(await watches.report()).toEqual({ watches: [] });
  });

  it('an agent has at most eight watches', async () => {
    const watches = watchesOf();
    const ids = Array.from({ length: maxWatches }, (_, index) => `w${index}`);
    const asked = await Promise.allSettled([...ids, 'x'].map((id) => watches.watch(watching([], { id }))));
    expect(asked.at(-1)).toMatchObject({
      reason: {
        code: 'forbidden',
        message: "cannot add watch 'x': an agent has at most 8 watches",
        hint: 'stop a watch that is not needed, or add the targets to a running one',
      },
    });
    await watches.watch(watching([], { id: 'w0' }));
    await watches.stop({ id: 'w3' });
    await watches.watch(watching([], { id: 'x' }));
    expect((await watches.report()).watches.map(({ id }) => id)).toEqual([
      'w0',
      'w1',
      'w2',
      'w4',
      'w5',
      'w6',
      'w7',
      'x',
    ]);
  });

  it('watches end when no controller asks for a minute', async () => {
    const watches = watchesOf();
    const { port } = await watches.watch(watching([]));
    vi.advanceTimersByTime(59_000);
    expect((await watches.report()).watches).toHaveLength(1);
    vi.advanceTimersByTime(59_000);
    await watches.watch(watching([]));
    vi.advanceTimersByTime(59_000);
    expect((await watches.report()).watches).toHaveLength(1);
    vi.advanceTimersByTime(60_000);
    expect(await watches.report()).toEqual({ watches: [] });
    await turns();
    await listenOn(here, port);
  });

  it('watches close their sockets when they are stopped, and all of them at the end', async () => {
    const watches = watchesOf();
    const one = await watches.watch(watching([{ name: 'a', to: there }], { id: 'one' }));
    const two = await watches.watch(watching([{ name: 'a', to: there }], { id: 'two' }));
    await pass(110);
    expect(await watches.stop({ id: 'one' })).toEqual({});
    await listenOn(here, one.port);
    await watches.closeAll();
    await listenOn(here, two.port);
    expect(vi.getTimerCount()).toBe(0);
  });
});

/** Fails while another socket has the port. */
async function listenOn(address: string, port: number): Promise<void> {
  const socket = createSocket('udp4').bind(port, address);
  made.push({ close: () => new Promise<void>((closed) => socket.close(closed)) });
  await once(socket, 'listening');
}

describe('a lasting socket', () => {
  const options = { address: here, keepsPort: true, onMessage: () => {}, onRefused: () => {} };
  const listeners = new Map<UdpEndpoint, (error: Error) => void>();
  const fail = (socket: UdpEndpoint, error: Error) => listeners.get(socket)!(error);
  const endpoints: Pick<Endpoints, 'openUdp'> = {
    openUdp(asked) {
      const opened = kernelEndpoints.openUdp(asked);
      listeners.set(opened, asked.onError!);
      return opened;
    },
  };

  it('a lasting socket opens again on its port after an error, but not at once', async () => {
    const lasting = createLastingSocket(endpoints, options, clock);
    made.push(lasting);
    const port = await lasting.bound;
    const first = lasting.current()!;
    fail(first, Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
    expect(lasting.current()).toBe(first);
    fail(first, new Error('aborted'));
    await turns();
    expect(lasting.current()).toBeUndefined();
    nowMs += 1000;
    expect(lasting.current()).toBeUndefined();
    await turns();
    expect(lasting.current()).not.toBe(first);
    expect(await lasting.current()!.bound).toBe(port);
  });

  it('a lasting socket tries again when it could not be bound', async () => {
    const lasting = createLastingSocket(endpoints, options, clock);
    made.push(lasting);
    const port = await lasting.bound;
    fail(lasting.current()!, new Error('aborted'));
    await turns();
    const other = createSocket('udp4').bind(port, here);
    await once(other, 'listening');
    const tryAgain = async () => {
      nowMs += 1000;
      lasting.current();
      await turns();
      return lasting.current()?.bound;
    };
    expect(await tryAgain()).toBeUndefined();
    expect(await tryAgain()).toBeUndefined();
    await new Promise<void>((closed) => other.close(closed));
    expect(await tryAgain()).toBe(port);
  });

  it('a lasting socket rejects when it cannot be bound at first', async () => {
    const lasting = createLastingSocket(endpoints, { ...options, address: '192.0.2.1' }, clock);
    await expect(lasting.bound).rejects.toMatchObject({ code: 'not-found' });
    await lasting.close();
  });

  it('a lasting socket stays closed', async () => {
    const lasting = createLastingSocket(endpoints, options, clock);
    await lasting.bound;
    await lasting.close();
    nowMs += 1000;
    expect(lasting.current()).toBeUndefined();
    await lasting.close();
  });
});

describe('the packet of a watch', () => {
  const prefix = watchPrefix('office');

  it('the packet of a watch has the documented layout', () => {
    const packet = encodePacket(prefix, { kind: 'echo', sequence: 0x01020304 });
    expect(packet.toString('hex')).toBe('505657315cc3f82838ba72600101020304');
  });

  it('the packet of a watch is decoded, and nothing else is', () => {
    const packet = { kind: 'probe', sequence: 2 ** 32 - 1 } as const;
    const bytes = encodePacket(prefix, packet);
    expect(decodePacket(prefix, bytes)).toEqual(packet);
    expect(decodePacket(watchPrefix('other'), bytes)).toBeUndefined();
    bytes[12] = 2;
    expect(decodePacket(prefix, bytes)).toBeUndefined();
  });

  it('a packet from port 0 is not answered, since no host can send there', () => {
    const probe = encodePacket(prefix, { kind: 'probe', sequence: 1 });
    expect(echoOf(prefix, probe, { port: 1 })).toHaveLength(probe.length);
    expect(echoOf(prefix, probe, { port: 0 })).toBeUndefined();
  });
});
