/** Shared parts of the benchmarks: testbed, statistics, tables. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context } from '../../src/controller/base/context.ts';
import type { Dataplane } from '../../src/model/dataplane.ts';
import type { Slice } from '../../src/model/slice.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { openStore } from '../../src/store/store.ts';
import { bringUp, takeDown } from '../../src/testbed/manage.ts';

export function gallerySlice(name: string): Slice {
  return readSlice(fileURLToPath(new URL(`../../slices/${name}.yaml`, import.meta.url)));
}

/** Returns the slice without latencies, so that its nodes reach each other directly and not through the relay. */
export function withoutLatency(slice: Slice): Slice {
  return { ...slice, latency: { defaultMs: 0, linksMs: new Map() } };
}

const abort = new AbortController();

/** Runs `body`, in which `progress` throws after an interrupt, so that what was made is removed. */
export async function interruptible<T>(body: () => Promise<T>): Promise<T> {
  const interrupt = () => abort.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    return await body();
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/**
 * Runs `body` with the slice's nodes on a new testbed, and removes the testbed afterwards in any case. The slice that
 * `body` gets has the testbed's data plane.
 */
export async function onTestbed<T>(
  slice: Slice,
  body: (context: Context, slice: Slice) => Promise<T>,
  dataplane: Dataplane = 'kernel',
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'pl-vnm-bench-'));
  const store = openStore(join(directory, 'bench.db'));
  return interruptible(async () => {
    try {
      await bringUp(store, [slice], { server: 'embedded', dataplane, onProgress: () => {}, signal: abort.signal });
      const placed = store.slices.find(slice.name)!;
      return await body({ store, acceptNewHostKeys: false, report: () => {}, signal: abort.signal }, placed);
    } finally {
      await takeDown(store);
      store.close();
      await rm(directory, { recursive: true });
    }
  });
}

/** Returns the nearest-rank quantile, 0 < q <= 1. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** Prints the progress on one line of stderr. Throws if the benchmark was interrupted, to remove its testbed. */
export function progress(name: string, done: number, total: number): void {
  abort.signal.throwIfAborted();
  if (process.stderr.isTTY || done === total)
    process.stderr.write(`\r${name}: ${done}/${total}${done === total ? '\n' : ''}`);
}

/** Runs `body` while every core is busy. */
export async function whileBusy<T>(body: () => Promise<T>): Promise<T> {
  // The loop ends with its parent, however that ends.
  const loop = 'for (const parent = process.ppid; process.ppid === parent; );';
  const loops: ChildProcess[] = cpus().map(() => spawn(process.execPath, ['-e', loop], { stdio: 'ignore' }));
  try {
    return await body();
  } finally {
    for (const one of loops) one.kill('SIGKILL');
  }
}
