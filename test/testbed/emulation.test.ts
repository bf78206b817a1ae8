/** Packets on a path while it changes, on a testbed in user space whose agents do not run: the test is both nodes. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testbedDown } from '../../src/testbed/down.ts';
import { requestChange } from '../../src/testbed/links/control.ts';
import type { DirectedLink, LinkChange } from '../../src/testbed/links/properties.ts';
import { readChangedLinks } from '../../src/testbed/links/record.ts';
import { commandsBelow } from '../../src/testbed/processes.ts';
import type { Testbed } from '../../src/testbed/record.ts';
import type { Endpoint, RelayPlan } from '../../src/testbed/relay.ts';
import { testbedStatus } from '../../src/testbed/status.ts';
import { type TestbedOptions, testbedUp } from '../../src/testbed/up.ts';
import { sliceOf, uniqueId } from './support.ts';

const slices = [sliceOf(['a', 'b'], [['a', 'b', 60]])];
const there: DirectedLink = { from: 'a', to: 'b', latencyMs: 60, jitterMs: 0, lossRate: 0, rateBps: null };

describe('a path that carries packets', () => {
  let parent: string;
  let options: TestbedOptions;
  let testbed: Testbed;
  let ends: [Socket, Socket];
  let received: number[] = [];
  let sent = 0;
  /** Where the relay takes packets to b. */
  let entry: Endpoint;

  beforeAll(async () => {
    parent = await mkdtemp(join(tmpdir(), 'testbed-'));
    options = { id: uniqueId(), directory: join(parent, 'testbed'), server: 'embedded', dataplane: 'userspace' };
    await begin();
  });
  afterAll(async () => {
    for (const end of ends) end.close();
    await testbedDown(options);
    await rm(parent, { recursive: true });
  });

  async function begin(): Promise<void> {
    testbed = await testbedUp(slices, options);
    const plan: RelayPlan = JSON.parse(await readFile(join(testbed.directory, 'relay.json'), 'utf8'));
    const bound = plan.ends.map(async ({ underlay: { port, address } }) => {
      const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
      socket.bind(port, address);
      await once(socket, 'listening');
      return socket;
    });
    ends = (await Promise.all(bound)) as [Socket, Socket];
    ends[1].on('message', (data) => received.push(data.readUInt32BE()));
    [sent, received] = [0, []];
    entry = { address: '127.0.0.1', port: testbed.nodes[1]!.tunnelPorts!.test! };
  }

  function send(bytes = 100): void {
    const data = Buffer.alloc(bytes);
    data.writeUInt32BE(sent);
    sent += 1;
    ends[0].send(data, entry.port, entry.address);
  }

  async function sendMany(count: number): Promise<void> {
    for (let number = 0; number < count; number += 1) {
      send();
      await sleep(1);
    }
  }

  function change(set: LinkChange['set'], more: Partial<LinkChange> = {}) {
    const whole = { from: 'a', to: 'b', isOneWay: true, reset: false, set, ...more };
    return requestChange(testbed.directory, whole);
  }

  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
  const last = () => received.at(-1);

  it('loses none and reorders none when its latency and its rate change', async () => {
    await sendMany(100);
    expect(await change({ latencyMs: 5 })).toEqual([{ ...there, latencyMs: 5 }]);
    await sendMany(100);
    await change({ rateBps: 10_000_000 });
    await sendMany(100);
    await change({ latencyMs: 30, rateBps: null });
    await sendMany(100);
    expect(await change({}, { reset: true })).toEqual([there]);
    await sendMany(100);
    await expect.poll(last, { timeout: 20_000 }).toBe(499);
    expect(received).toEqual(numbers(0, 500));
  });

  it('carries nothing at a loss of 100 %, and everything again after it', async () => {
    const begun = sent;
    received = [];
    await change({ lossRate: 1 });
    await sendMany(50);
    await change({ lossRate: 0 });
    await sendMany(50);
    await expect.poll(last, { timeout: 20_000 }).toBe(begun + 99);
    // The order shows that none of the first is still under way.
    expect(received).toEqual(numbers(begun + 50, begun + 100));
  });

  it('drops what is too much for its rate', async () => {
    received = [];
    // A packet takes 100 ms, and as long may be in the queue.
    await change({ rateBps: 80_000 });
    for (let count = 0; count < 50; count += 1) send(1000);
    await change({}, { reset: true });
    const mark = sent;
    send();
    await expect.poll(last, { timeout: 20_000 }).toBe(mark);
    expect(received.length - 1).toBeGreaterThanOrEqual(2);
    expect(received.length - 1).toBeLessThan(25);
  });

  it('keeps a jitter within its bounds, and all packets', async () => {
    received = [];
    const begun = sent;
    await change({ latencyMs: 20, jitterMs: 20 });
    await sendMany(200);
    await expect.poll(() => received.length, { timeout: 20_000 }).toBe(200);
    expect(received.toSorted((one, other) => one - other)).toEqual(numbers(begun, begun + 200));
    expect(received).not.toEqual(numbers(begun, begun + 200));
    await change({}, { reset: true });
  });

  it('changes both directions unless one is asked', async () => {
    const back = { ...there, from: 'b', to: 'a' };
    expect(await change({ lossRate: 0.5 }, { isOneWay: false })).toEqual([
      { ...there, lossRate: 0.5 },
      { ...back, lossRate: 0.5 },
    ]);
    expect(await change({}, { reset: true, isOneWay: false })).toEqual([there, back]);
    expect(readChangedLinks(testbed.directory)).toEqual([]);
  });

  it('refuses what cannot be, and stays as it is', async () => {
    await expect(change({ jitterMs: 61 })).rejects.toMatchObject({
      code: 'invalid-input',
      message: "the jitter from 'a' to 'b' would be 61 ms, more than the latency of 60 ms",
    });
    expect(await change({})).toEqual([there]);
  });

  it('goes on when somebody writes nonsense to the relay', async () => {
    const socket = connect(join(testbed.directory, 'relay.sock'));
    socket.write('{"kind":"change"}\n');
    const [answer] = await once(socket, 'data');
    expect(JSON.parse(String(answer))).toMatchObject({ error: { code: 'failed' } });
    socket.destroy();
    expect((await testbedStatus(testbed)).relay).toBe('alive');
  });

  it('is as it was changed when the relay had to be started again', async () => {
    await change({ lossRate: 1, latencyMs: 70 });
    const relays = async () => {
      const path = join(testbed.directory, 'relay.json');
      return (await commandsBelow(testbed.directory)).filter(({ words }) => words.includes(path));
    };
    for (const { pid } of await relays()) process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await relays()).length, { timeout: 20_000 }).toBe(0);
    await expect(change({})).rejects.toMatchObject({ code: 'failed' });
    for (const end of ends) end.close();
    await begin();
    await sendMany(20);
    expect(await change({ lossRate: 0 })).toEqual([{ ...there, latencyMs: 70 }]);
    await sendMany(20);
    await expect.poll(last, { timeout: 20_000 }).toBe(39);
    expect(received).toEqual(numbers(20, 40));
  });

  it('is not changed by a relay that cannot record it', async () => {
    // A directory is where the new record would be.
    const path = join(testbed.directory, 'links.json.new');
    await mkdir(path);
    try {
      await expect(change({ lossRate: 1 })).rejects.toMatchObject({ code: 'failed' });
    } finally {
      await rm(path, { recursive: true });
    }
    expect(await change({})).toEqual([{ ...there, latencyMs: 70 }]);
  });
});
