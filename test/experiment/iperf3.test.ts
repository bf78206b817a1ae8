import type { Writable } from 'node:stream';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import type { exec } from '../../src/controller/exec.ts';
import { startIperf } from '../../src/experiment/run/iperf3.ts';
import { VnmError } from '../../src/model/errors.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';
import { temporaryResults } from './support/files.ts';

/** What a client that has just been started does. */
let client: (signal: AbortSignal) => Promise<never>;

vi.mock('../../src/controller/exec.ts', () => ({
  exec: ({ signal }: Context, { command }: Parameters<typeof exec>[1], { stdout }: { stdout: Writable }) => {
    if (command.includes('-c')) return client(signal!);
    stdout.write('Server listening\n');
    return untilStopped(signal!);
  },
}));

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
