/**
 * VROOM's diamond: a router on the way of a flow moves there and back with its control plane, in each of the ways, at
 * several rates of packets, next to the same load without a move.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../src/cli/output.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { install } from '../../src/controller/install.ts';
import { type MigrateResult, migrate } from '../../src/controller/migrate.ts';
import { controlPlaneNames } from '../../src/controller/migration/control-planes/names.ts';
import type { Slice } from '../../src/model/slice.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { onTestbed, progress } from './harness.ts';
import { startLoad } from './load.ts';

/** Router b is on the way; by c it is longer. Without latencies, so that nodes reach each other directly. */
const diamond = `
slice: diamond
vnet: 10.68.0.0/16
substrate:
  nodes: { n0: {}, n1: {}, n2: {}, n3: {}, n4: {}, ga: {}, gd: {}, ha: {}, hd: {} }
  latency: { default: 0 }
vn:
  name: diamond
  routers: [{ name: a, kind: bird }, { name: b, kind: bird }, { name: c, kind: bird }, { name: d, kind: bird }]
  routing: { protocol: ospf, hello: 1, dead: 4 }
  links: [[a, b, 10], [b, d, 10], [a, c, 20], [c, d, 20]]
  gateways: { g1: { node: ga, router: a }, g2: { node: gd, router: d } }
  endHosts: { ea: { node: ha, gateway: g1 }, ed: { node: hd, gateway: g2 } }
placements:
  initial: { a: n0, b: n1, c: n4, d: n2 }
  final: { a: n0, b: n3, c: n4, d: n2 }
`;
const [here, there] = ['n1', 'n3'];
const options = {
  control: 'gateway',
  schedule: 'optimal',
  granularity: 'gateway',
  method: 'vroom',
  router: 'b',
  traffic: false,
} as const;
const controlMs = 30_000;
const phases = ['set up', 'clone', 'prove', 'move control plane', 'flip', 'converge', 'verify', 'drain', 'retire'];

/** `times`: how often the router moves there and back in each row. */
export async function planesBench(times = 2, rates: readonly number[] = [1000, 5000, 20_000]): Promise<string> {
  const rows = await onTestbed(parseSlice(diamond, 'diamond.yaml'), async (context, slice) => {
    await install(context, slice, { placement: 'initial', urpf: 'strict' });
    const rows: (string | number)[][] = [];
    for (const rate of rates) {
      const quiet = await startLoad(context, slice, rate);
      await sleep(controlMs);
      rows.push([rate, 'no migration', 0, ...sumsOf(await quiet.finish())]);
      for (const way of controlPlaneNames)
        rows.push([rate, way, ...(await moveUnderLoad(context, slice, way, rate, times))]);
    }
    return rows;
  });
  const heading = [
    'packets/s each way',
    'control plane',
    'moves',
    'sent',
    'lost',
    'reordered or duplicated',
    'receiver too slow',
    'neighbour events',
    'freeze: median ms',
    'longest ms',
    'checkpoint KB',
    ...phases.map((phase, index) => (index === 0 ? `${phase}: median ms` : phase)),
  ];
  return table(heading, rows);
}

async function moveUnderLoad(
  context: Context,
  slice: Slice,
  controlPlane: (typeof controlPlaneNames)[number],
  rate: number,
  times: number,
): Promise<(string | number)[]> {
  const vn = slice.vns[0]!;
  const move = async (to: string): Promise<MigrateResult> => {
    const result = await migrate(context, slice, vn, { ...options, controlPlane, to });
    if (result.outcome !== 'completed')
      throw new Error(`a move by ${controlPlane} ended as ${result.outcome}: ${result.error}`);
    return result;
  };
  const load = await startLoad(context, slice, rate);
  const results: MigrateResult[] = [];
  for (let index = 0; index < 2 * times; index += 1) {
    results.push(await move(index % 2 === 0 ? there : here));
    progress(`${controlPlane}, ${rate} packets/s`, index + 1, 2 * times);
  }
  const sums = sumsOf(await load.finish());
  const events = results.flatMap(({ neighbourEvents = [] }) => neighbourEvents.map((one) => one.events));
  const moved = results.flatMap(({ controlPlanes = [] }) => controlPlanes);
  const freezes = moved.map(({ freezeMs }) => freezeMs);
  const images = moved.flatMap(({ checkpoint }) => checkpoint?.bytes ?? []);
  const timesOf = (phase: string) => results.map((result) => result.phases.find(({ name }) => name === phase)?.ms ?? 0);
  return [
    results.length,
    ...sums,
    events.reduce((sum, count) => sum + count, 0),
    middle(freezes).toFixed(0),
    Math.max(...freezes).toFixed(0),
    images.length === 0 ? '' : (Math.max(...images) / 1000).toFixed(0),
    ...phases.map((phase) => middle(timesOf(phase)).toFixed(0)),
  ];
}

/** Sent, lost, reordered or duplicated, and what a receiver was too slow for, of both directions. */
function sumsOf(rows: Awaited<ReturnType<Awaited<ReturnType<typeof startLoad>>['finish']>>): number[] {
  return [1, 3, 4, 5].map((column) => rows.reduce((sum, row) => sum + Number(row[column]), 0));
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
