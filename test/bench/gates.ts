/**
 * `drain` under strict and `hold` under feasible uRPF: nothing is lost or reordered, and the delay is that of the loss
 * model. Next to each is the same migration without gates. Its longest latency is that of the slower path plus what the
 * machine adds; no gate can reduce that.
 */

import { table } from '../../src/cli/output.ts';
import { install } from '../../src/controller/install.ts';
import { type MigrateResult, migrate } from '../../src/controller/migrate.ts';
import type { Slice } from '../../src/model/slice.ts';
import { gallerySlice, onTestbed, progress } from './harness.ts';

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
    for (const [index, { schedule, urpf }] of cases.entries()) {
      for (const to of ['final', 'initial']) {
        const options = { to, control: 'gateway', granularity: 'gateway', urpf, traffic: true } as const;
        const newMs = to === 'final' ? 160 : 240;
        const bare = await migrate(context, slice, vn, { ...options, schedule: 'simultaneous' });
        await migrate(context, slice, vn, {
          ...options,
          schedule: 'optimal',
          to: to === 'final' ? 'initial' : 'final',
        });
        const result = await migrate(context, slice, vn, { ...options, schedule });
        for (const [at, flow] of result.flows.entries()) {
          const extra = addedDelayMs(flow, newMs);
          rows.push([
            schedule,
            to === 'final' ? 'old slower (240 -> 160)' : 'old faster (160 -> 240)',
            `${flow.from} -> ${flow.to}`,
            flow.sent,
            flow.lost,
            flow.reordered,
            flow.duplicated,
            extra.toFixed(1),
            addedDelayMs(bare.flows[at]!, newMs).toFixed(1),
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
    'without gates ms',
    'predicted ms',
  ];
  return table(heading, rows);
}

/** Returns the slice with its flow in both directions. */
function bothWays(slice: Slice): Slice {
  const [vn] = slice.vns;
  const [flow] = vn!.flows;
  return { ...slice, vns: [{ ...vn!, flows: [flow!, { ...flow!, from: flow!.to, to: flow!.from }] }] };
}

/**
 * Returns the longest latency minus that of the new path and of the access links. The latency of the access links is
 * the shortest latency minus that of the faster of the two paths (160 ms).
 */
function addedDelayMs({ minLatencyMs, maxLatencyMs }: MigrateResult['flows'][number], newMs: number): number {
  const accessMs = minLatencyMs! - 160;
  return maxLatencyMs! - newMs - accessMs;
}
