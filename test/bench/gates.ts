/** `drain` under strict and `hold` under feasible uRPF: nothing lost, nothing reordered, and the delay that the loss model gives. */

import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../src/cli/output.ts';
import { withAgents } from '../../src/controller/agents.ts';
import type { Context } from '../../src/controller/context.ts';
import { install } from '../../src/controller/install.ts';
import { type MigrateResult, migrate } from '../../src/controller/migrate.ts';
import { edgeNodes } from '../../src/controller/resolve.ts';
import { startTraffic } from '../../src/controller/traffic.ts';
import type { Slice } from '../../src/model/slice.ts';
import { gallerySlice, onTestbed, progress } from './harness.ts';

/** About as long as a migration's traffic. */
const controlMs = 3500;

const cases = [
  { schedule: 'drain', urpf: 'strict' },
  { schedule: 'hold', urpf: 'feasible' },
] as const;

export async function gatesBench(): Promise<string> {
  const slice = bothWays(gallerySlice('two-node'));
  const vn = slice.vns[0]!;
  const rows: (string | number)[][] = [];
  await onTestbed(slice, async (context) => {
    await install(context, slice, { placement: 'initial', urpf: 'strict' });
    const spread = await spreadWithoutMigration(context, slice);
    for (const [index, { schedule, urpf }] of cases.entries()) {
      for (const to of ['final', 'initial']) {
        const options = { to, control: 'gateway', schedule, granularity: 'gateway', urpf, traffic: true } as const;
        const result = await migrate(context, slice, vn, options);
        for (const flow of result.flows) {
          const extra = addedDelayMs(flow, to === 'final' ? 160 : 240);
          rows.push([
            schedule,
            to === 'final' ? 'old slower (240 -> 160)' : 'old faster (160 -> 240)',
            `${flow.from} -> ${flow.to}`,
            flow.sent,
            flow.lost,
            flow.reordered,
            flow.duplicated,
            extra.toFixed(1),
            spread.get(`${flow.from} -> ${flow.to}`)!.toFixed(1),
            flow.predictedAddedDelayMs!.toFixed(1),
          ]);
        }
      }
      progress('gates', index + 1, cases.length);
    }
  });
  const heading = [
    'schedule',
    'latencies ms',
    'flow',
    'sent',
    'lost',
    'reordered',
    'duplicated',
    'added delay ms',
    'of the machine ms',
    'predicted ms',
  ];
  return table(heading, rows);
}

/** Longest less shortest latency of each flow while nothing happens: what the machine adds to some packet in as long a time. */
async function spreadWithoutMigration(context: Context, slice: Slice): Promise<Map<string, number>> {
  const vn = slice.vns[0]!;
  const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
  const flows = await withAgents(context, slice, edgeNodes(vn), async (agents) => {
    const traffic = await startTraffic(agents, slice, vn, mtu);
    await sleep(controlMs);
    return traffic.finish();
  });
  return new Map(flows.map((flow) => [`${flow.from} -> ${flow.to}`, flow.maxLatencyMs! - flow.minLatencyMs!]));
}

/** The slice with its flow in the other direction too. */
function bothWays(slice: Slice): Slice {
  const [vn] = slice.vns;
  const [flow] = vn!.flows;
  return { ...slice, vns: [{ ...vn!, flows: [flow!, { ...flow!, from: flow!.to, to: flow!.from }] }] };
}

/**
 * The longest latency less that of the new path. What the access links take is what the shortest latency has beyond the
 * faster of the two paths (160 ms).
 */
function addedDelayMs({ minLatencyMs, maxLatencyMs }: MigrateResult['flows'][number], newMs: number): number {
  const accessMs = minLatencyMs! - 160;
  return maxLatencyMs! - newMs - accessMs;
}
