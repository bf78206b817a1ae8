import type { Writable } from 'node:stream';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import type { exec } from '../../src/controller/exec.ts';
import { startIperf } from '../../src/experiment/run/iperf3.ts';
import { VnmError } from '../../src/model/errors.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';
import { temporaryResults } from './support/files.ts';

/** What a client does that has just been started, and what its server prints then. */
let client: (signal: AbortSignal) => Promise<unknown>;
let served = '';

vi.mock('../../src/controller/exec.ts', () => ({
  exec: ({ signal }: Context, { command }: Parameters<typeof exec>[1], { stdout }: Streams) => {
    if (command.includes('-c')) {
      server?.stdout.write(served);
      return client(signal!).finally(() => server?.end());
    }
    stdout.write('Server listening\n');
    servers += 1;
    return new Promise((resolve, reject) => {
      server = { stdout, end: () => resolve({ exitCode: 0 }) };
      signal!.addEventListener('abort', () => reject(signal!.reason));
    });
  },
}));

interface Streams {
  readonly stdout: Writable;
}
let server: (Streams & { end: () => void }) | undefined;
let servers = 0;

beforeEach(() => {
  served = '[  5]   0.00-1.00   sec   144 KBytes  1.18 Mbits/sec  0.017 ms  0/103 (0%)\n';
  servers = 0;
});

function untilStopped(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

function start() {
  const slice = readSlice(gallery('two-node'));
  const context = { signal: new AbortController().signal } as Context;
  return startIperf({ context, kept: context, slice, vn: slice.vns[0]! }, 1500, 60, temporaryResults());
}

/** Rejections without a handler: with one, the program ends. */
function watchRejections(): unknown[] {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', note);
  onTestFinished(() => {
    process.removeAllListeners('unhandledRejection');
    for (const other of others) process.on('unhandledRejection', other);
  });
  return unhandled;
}

/** Node.js looks for unhandled rejections after each turn of the event loop. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it('may be stopped while it sends, as after a migration that failed', async () => {
  const unhandled = watchRejections();
  client = untilStopped;
  const iperf = await start();
  expect(iperf.isOver()).toBe(false);
  await iperf.stop();
  await nextTurn();
  expect(iperf.isOver()).toBe(true);
  expect(unhandled).toEqual([]);
});

it('has ended when a client cannot go on, and says why once asked', async () => {
  const unhandled = watchRejections();
  client = () => Promise.reject(new VnmError('unreachable', 'the node is gone'));
  const iperf = await start();
  await nextTurn();
  expect(iperf.isOver()).toBe(true);
  expect(unhandled).toEqual([]);
  await expect(iperf.finish()).rejects.toThrow('the node is gone');
});

describe('a client whose first datagram, or the answer, is lost', () => {
  const lost = Promise.resolve({ exitCode: 1 });

  it('is started again, until its server receives packets', async () => {
    served = '[  5]   0.00-1.00   sec  0.00 Bytes  0.00 bits/sec  0.000 ms  0/0 (0%)\n';
    client = (signal) => {
      if (servers === 1) return lost;
      const line = '[  5]   1.00-2.00   sec   128 KBytes  1.05 Mbits/sec  0.005 ms  0/91 (0%)\n';
      setTimeout(() => server!.stdout.write(line), 20);
      return untilStopped(signal);
    };
    const iperf = await start();
    expect(servers).toBe(2);
    expect(iperf.isOver()).toBe(false);
    await iperf.stop();
  });

  it('is given up after three times', async () => {
    client = () => lost;
    served = '';
    await expect(start()).rejects.toThrow('iperf3 from e1 to e2 failed: it says nothing');
    expect(servers).toBe(3);
  });
});
