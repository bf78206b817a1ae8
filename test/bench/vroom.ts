/**
 * Moving routers one after the other (VROOM) next to whole instances, under strict uRPF; and the cost of copied routes.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../src/cli/output.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { edgeNodes } from '../../src/controller/base/resolve.ts';
import { install } from '../../src/controller/install.ts';
import { type MigrateOptions, migrate } from '../../src/controller/migrate.ts';
import { withAgents } from '../../src/controller/nodes/agents.ts';
import { type CountedFlow, startTraffic } from '../../src/controller/probe/traffic.ts';
import type { Slice } from '../../src/model/slice.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { gallerySlice, onTestbed, progress, quantile } from './harness.ts';

const usual = { control: 'gateway', schedule: 'optimal', granularity: 'gateway', traffic: false } as const;
const methods = {
  'no migration': undefined,
  vroom: { ...usual, method: 'vroom' },
  'instance, optimal': { ...usual, urpf: 'strict' },
} as const;

/** `count`: how often each VN moves forth and back. */
export async function vroomBench(count = { 'three-node': 50, abilene: 10 }): Promise<string> {
  const rows: (string | number)[][] = [];
  for (const [name, times] of Object.entries(count)) {
    await onTestbed(gallerySlice(name), async (context, slice) => {
      await install(context, slice, { placement: 'initial', urpf: 'strict' });
      for (const [method, options] of Object.entries(methods)) {
        const { completed, flows } = await moveUnderFlows(context, slice, `${name}, ${method}`, times, options);
        const total = (value: (flow: CountedFlow) => number) => flows.reduce((sum, flow) => sum + value(flow), 0);
        const gapMs = Math.max(...flows.map(({ maxGapMs }) => maxGapMs)).toFixed(0);
        const counts = [
          total((f) => f.sent),
          total((f) => f.lost),
          total((f) => f.duplicated),
          total((f) => f.reordered),
        ];
        rows.push([name, method, completed, ...counts, gapMs]);
      }
    });
  }
  const heading = ['slice', 'method', 'completed', 'sent', 'lost', 'duplicated', 'reordered', 'longest gap ms'];
  return table(heading, rows);
}

/** Runs all flows of the VN while it moves; without options for 30 s while it stays. */
async function moveUnderFlows(
  context: Context,
  slice: Slice,
  title: string,
  times: number,
  options: Omit<MigrateOptions, 'to'> | undefined,
) {
  const vn = slice.vns[0]!;
  const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
  return withAgents(context, slice, edgeNodes(vn), async (agents) => {
    const traffic = await startTraffic(agents, planVn(slice, vn), mtu);
    let completed = 0;
    if (options === undefined) await sleep(30_000);
    for (let index = 0; options !== undefined && index < 2 * times; index += 1) {
      const to = index % 2 === 0 ? 'final' : 'initial';
      const { outcome } = await migrate(context, slice, vn, { ...options, to });
      if (outcome === 'completed') completed += 1;
      progress(title, index + 1, 2 * times);
    }
    return { completed, flows: await traffic.finish() };
  });
}

/**
 * A router with many routes moves. In turns with that, `ip` alone adds the same routes to the table that is copied
 * next. Medians of the `rounds`.
 */
export async function fibBench(sizes: readonly number[] = [1000, 15_000, 100_000], rounds = 5): Promise<string> {
  const rows = await onTestbed(parseSlice(chain, 'chain.yaml'), async (context, slice) => {
    await install(context, slice, { placement: 'initial', urpf: 'strict' });
    const rows: (string | number)[][] = [];
    let to = 'p2';
    for (const size of sizes) {
      const [rawMs, cloneMs]: [number[], number[]] = [[], []];
      for (let round = 0; round < rounds; round += 1) {
        rawMs.push(batch(namespaceOfRouter(context, slice), linesFor(namespaceOfRouter(context, slice), size)));
        cloneMs.push(await moveWith(context, slice, size, to));
        to = to === 'p2' ? 'p1' : 'p2';
        ip(namespaceOfRouter(context, slice), 'route', 'flush', 'root', '10.64.0.0/10');
        progress(`${size} routes`, round + 1, rounds);
      }
      const [raw, clone] = [quantile(rawMs, 0.5), quantile(cloneMs, 0.5)];
      rows.push([size, raw.toFixed(0), clone.toFixed(0), (clone / raw).toFixed(2), (clone / size).toFixed(3)]);
    }
    return rows;
  });
  return table(['routes', 'ip alone ms', 'read, translated, installed ms', 'ratio', 'ms per route'], rows);
}

/** Routes as they lead to the first gateway. */
function linesFor(namespace: string, size: number): string[] {
  const [way] = JSON.parse(ip(namespace, '-json', 'route', 'show', '10.0.0.0/31')) as [
    { gateway: string; dev: string },
  ];
  return Array.from(
    { length: size },
    (_, index) =>
      `route add 10.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}/32 via ${way.gateway} dev ${way.dev}`,
  );
}

/** Ms to read, translate and install all routes of the router at its new place. Throws unless all are there. */
async function moveWith(context: Context, slice: Slice, size: number, to: string): Promise<number> {
  const options = { ...usual, method: 'vroom', router: 'a', to } as const;
  const { outcome, phases } = await migrate(context, slice, slice.vns[0]!, options);
  const routes = ip(namespaceOfRouter(context, slice), 'route', 'show', 'root', '10.64.0.0/10')
    .trim()
    .split('\n').length;
  if (outcome !== 'completed' || routes !== size)
    throw new Error(`the migration with ${size} routes ended as ${outcome}, with ${routes} routes`);
  return phases.find(({ name }) => name === 'clone')!.ms;
}

const chain = `
slice: fib
vnet: 10.0.0.0/8
substrate: { nodes: { p1: {}, p2: {}, g1: {}, g2: {}, h1: {}, h2: {} }, latency: { default: 0 } }
vn:
  name: fib
  routers: [a]
  links: []
  gateways: { ga: { node: g1, router: a }, gb: { node: g2, router: a } }
  endHosts: { ea: { node: h1, gateway: ga }, eb: { node: h2, gateway: gb } }
  flows: [{ from: ea, to: eb, rate: 1Mbps }]
placements: { initial: { a: p1 }, final: { a: p2 } }
`;

function namespaceOfRouter({ store }: Context, { name }: Slice): string {
  const [record] = store.instances.list({ slice: name });
  return store.instances.namespaces(record!.id).get('a')!;
}

const ip = (namespace: string, ...words: string[]) =>
  execFileSync('ip', ['-n', namespace, ...words], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });

/** Ms for `ip` to run the lines, before which none of these routes exists. */
function batch(namespace: string, lines: readonly string[]): number {
  const beganAt = performance.now();
  execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: lines.join('\n') });
  return performance.now() - beganAt;
}
