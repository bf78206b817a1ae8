/**
 * VNs of 3 to 100 routers on as many nodes of a testbed: how long their commands take, and how much memory the
 * controller and the agents need. The routers form a ring with chords; the migration moves each one to the next node.
 */
import { readFileSync } from 'node:fs';
import { table } from '../../src/cli/output.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { install } from '../../src/controller/install.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { uninstall } from '../../src/controller/uninstall.ts';
import { verify } from '../../src/controller/verify.ts';
import type { Dataplane } from '../../src/model/dataplane.ts';
import type { Slice } from '../../src/model/slice.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { commandsBelow } from '../../src/testbed/processes.ts';
import { runAlone } from './alone/run.ts';
import { onTestbed, progress } from './harness.ts';

export interface Growth {
  /** By command, in order. */
  readonly seconds: Readonly<Record<'testbed up' | 'install' | 'verify' | 'migrate' | 'uninstall', number>>;
  readonly phases: readonly { readonly name: string; readonly ms: number }[];
  readonly ok: boolean;
  readonly outcome: string;
  readonly lost: number;
  readonly sent: number;
  /** Of each agent, shared memory divided among them. */
  readonly agentsMb: readonly number[];
}

/** Runs the commands for a VN of `count` routers, on a testbed of its own. */
export async function measureGrowth({ count, dataplane }: { count: number; dataplane: Dataplane }): Promise<Growth> {
  const seconds: Record<string, number> = {};
  let startMs = performance.now();
  const timed = async <T>(what: string, body: () => Promise<T>): Promise<T> => {
    startMs = performance.now();
    const result = await body();
    seconds[what] = (performance.now() - startMs) / 1000;
    return result;
  };
  const body = async (context: Context, slice: Slice): Promise<Growth> => {
    seconds['testbed up'] = (performance.now() - startMs) / 1000;
    const vn = slice.vns[0]!;
    await timed('install', () => install(context, slice, { placement: 'initial', urpf: 'feasible' }));
    const { ok } = await timed('verify', () => verify(context, slice, vn));
    const options = { control: 'gateway', schedule: 'optimal', granularity: 'gateway', urpf: 'feasible' } as const;
    const { flows, outcome, phases } = await timed('migrate', () =>
      migrate(context, slice, vn, { ...options, to: 'final', traffic: true }),
    );
    const { directory } = context.store.testbeds.forSlice(slice.name)!;
    const below = await commandsBelow(`${directory}/nodes`);
    const agents = below.filter(({ words }) => !words.some((word) => word.includes('/ssh-server')));
    const agentsMb = agents.flatMap(({ pid }) => memoryOf(pid));
    await timed('uninstall', () => uninstall(context, slice));
    return {
      seconds: seconds as Growth['seconds'],
      phases,
      ok,
      outcome,
      lost: flows.reduce((sum, flow) => sum + flow.lost, 0),
      sent: flows.reduce((sum, flow) => sum + flow.sent, 0),
      agentsMb,
    };
  };
  return onTestbed(sliceOf(count), body, dataplane);
}

/** Installs and migrates VNs of these sizes, each in a process of its own. */
export async function growthBench(dataplane: Dataplane, counts = [3, 10, 30, 100]): Promise<string> {
  const rows: string[][] = [];
  const phaseRows = new Map<string, string[]>();
  for (const [index, count] of counts.entries()) {
    progress('growth', index, counts.length);
    const { result, peakMb } = (await runAlone('growth', { count, dataplane }))!;
    const { seconds, phases, ok, outcome, lost, sent, agentsMb } = result;
    rows.push([
      String(count),
      String(agentsMb.length),
      ...Object.values(seconds).map((value) => value.toFixed(1)),
      `${ok && outcome === 'completed' ? 'yes' : `no (${outcome})`}`,
      `${lost} of ${sent}`,
      peakMb.toFixed(0),
      (agentsMb.reduce((sum, mb) => sum + mb, 0) / agentsMb.length).toFixed(0),
    ]);
    for (const { name, ms } of phases) {
      const cells = phaseRows.get(name) ?? [name];
      phaseRows.set(name, [...cells, (ms / 1000).toFixed(1)]);
    }
  }
  progress('growth', counts.length, counts.length);
  const commands = ['testbed up s', 'install s', 'verify s', 'migrate s', 'uninstall s'];
  return [
    table(['routers', 'agents', ...commands, 'works', 'lost packets', 'controller MB', 'MB per agent'], rows),
    table(['phase of the migration, s', ...counts.map((count) => `${count} routers`)], [...phaseRows.values()]),
  ].join('\n\n');
}

/** Proportional set size in MB; nothing for a process that has ended meanwhile. */
function memoryOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return [Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) / 1000];
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
    // Three routers in a ring have no chords.
    ...(count > 3 ? numbers.slice(0, half) : []).map((index) => [`r${index}`, `r${index + half}`]),
  ];
  const place = (shift: number) =>
    Object.fromEntries(numbers.map((index) => [`r${index}`, `n${(index + shift) % count}`]));
  const named = <T>(names: readonly string[], value: (index: number) => T) =>
    Object.fromEntries(names.map((name, index) => [name, value(index)]));
  const edgeNames = (letter: string) => edges.map((_, index) => `${letter}${index}`);
  const slice = {
    slice: 'growth',
    vnet: '10.80.0.0/16',
    substrate: {
      nodes: named([...numbers.map((index) => `n${index}`), ...edgeNames('g'), ...edgeNames('h')], () => ({})),
    },
    vn: {
      name: 'growth',
      routers: numbers.map((index) => `r${index}`),
      links,
      gateways: named(edgeNames('g'), (index) => ({ node: `g${index}`, router: `r${edges[index]}` })),
      endHosts: named(edgeNames('e'), (index) => ({ node: `h${index}`, gateway: `g${index}` })),
      flows: edges.map((_, index) => ({ from: `e${index}`, to: `e${(index + 1) % edges.length}`, rate: '500kbps' })),
    },
    placements: { initial: place(0), final: place(1) },
  };
  // JSON is YAML.
  return parseSlice(JSON.stringify(slice), 'growth.yaml');
}
