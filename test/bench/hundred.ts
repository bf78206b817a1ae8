/**
 * A VN of 100 routers on 100 nodes of a userspace testbed: how long its commands take, and how much memory an agent
 * needs. The routers form a ring with chords; the migration moves each one to the next node.
 */
import { readFileSync } from 'node:fs';
import { table } from '../../src/cli/output.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { install } from '../../src/controller/install.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { verify } from '../../src/controller/verify.ts';
import type { Slice } from '../../src/model/slice.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { processesBelow } from '../../src/testbed/processes.ts';
import { onTestbed } from './harness.ts';

export async function hundredBench(count = 100): Promise<string> {
  const rows: string[][] = [];
  const timed = async <T>(what: string, body: () => Promise<T>): Promise<T> => {
    const startMs = performance.now();
    const result = await body();
    rows.push([what, ((performance.now() - startMs) / 1000).toFixed(1)]);
    return result;
  };
  const body = async (context: Context, slice: Slice) => {
    rows.push(['testbed up', ((performance.now() - upMs) / 1000).toFixed(1)]);
    const vn = slice.vns[0]!;
    await timed('install', () => install(context, slice, { placement: 'initial', urpf: 'feasible' }));
    const { ok } = await timed('verify', () => verify(context, slice, vn));
    const options = { control: 'gateway', schedule: 'optimal', granularity: 'gateway', urpf: 'feasible' } as const;
    const { flows, outcome, phases } = await timed('migrate', () =>
      migrate(context, slice, vn, { ...options, to: 'final', traffic: true }),
    );
    const lost = flows.reduce((sum, flow) => sum + flow.lost, 0);
    const sent = flows.reduce((sum, flow) => sum + flow.sent, 0);
    const record = context.store.testbeds.forSlice(slice.name)!;
    const memory = (await processesBelow(`${record.directory}/nodes`)).flatMap(memoryOf);
    const mean = memory.reduce((sum, bytes) => sum + bytes, 0) / memory.length / 1e6;
    return [
      table(['command', 's'], rows),
      table(
        ['phase of the migration', 's'],
        phases.map(({ name, ms }) => [name, (ms / 1000).toFixed(1)]),
      ),
      `all pairs of end hosts reach each other: ${ok}; migration ${outcome}; ${lost} of ${sent} packets lost`,
      `${memory.length} agents with ${mean.toFixed(0)} MB each, shared memory divided among them`,
    ].join('\n\n');
  };
  const upMs = performance.now();
  return onTestbed(sliceOf(count), body, 'userspace');
}

/** Proportional set size in bytes; nothing for a process that has ended meanwhile. */
function memoryOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return [Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024];
  } catch (error) {
    if (['ESRCH', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

function sliceOf(count: number): Slice {
  const numbers = Array.from({ length: count }, (_, index) => index);
  const edges = [0, Math.floor(count / 3), Math.floor((2 * count) / 3)];
  const half = Math.floor(count / 2);
  const links = [
    ...numbers.map((index) => [`r${index}`, `r${(index + 1) % count}`]),
    ...numbers.slice(0, half).map((index) => [`r${index}`, `r${index + half}`]),
  ];
  const place = (shift: number) =>
    Object.fromEntries(numbers.map((index) => [`r${index}`, `n${(index + shift) % count}`]));
  const named = <T>(names: readonly string[], value: (index: number) => T) =>
    Object.fromEntries(names.map((name, index) => [name, value(index)]));
  const edgeNames = (letter: string) => edges.map((_, index) => `${letter}${index}`);
  const slice = {
    slice: 'hundred',
    vnet: '10.80.0.0/16',
    substrate: {
      nodes: named([...numbers.map((index) => `n${index}`), ...edgeNames('g'), ...edgeNames('h')], () => ({})),
    },
    vn: {
      name: 'hundred',
      routers: numbers.map((index) => `r${index}`),
      links,
      gateways: named(edgeNames('g'), (index) => ({ node: `g${index}`, router: `r${edges[index]}` })),
      endHosts: named(edgeNames('e'), (index) => ({ node: `h${index}`, gateway: `g${index}` })),
      flows: edges.map((_, index) => ({ from: `e${index}`, to: `e${(index + 1) % edges.length}`, rate: '500kbps' })),
    },
    placements: { initial: place(0), final: place(1) },
  };
  // JSON is YAML.
  return parseSlice(JSON.stringify(slice), 'hundred.yaml');
}
