/**
 * Compares the loss under strict uRPF with the loss model: the two-node slice, nine differences D of the two gateways'
 * redirections, with the old path slower than the new one and the reverse; then the schedules. Each line is one
 * migration.
 */

import { table } from '../../src/cli/output.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { install } from '../../src/controller/install.ts';
import { migrate } from '../../src/controller/migrate.ts';
import type { MigrateOptions } from '../../src/controller/migration/types.ts';
import type { Dataplane } from '../../src/model/dataplane.ts';
import type { Slice } from '../../src/model/slice.ts';
import { gallerySlice, onTestbed, progress } from './harness.ts';

/** Differences in ms; the windows are [160, 240] both ways. */
const differencesMs = [-60, 0, 60, 120, 160, 200, 240, 300, 380];
const schedules = ['simultaneous', 'heuristic', 'optimal'] as const;

export async function strictBench(dataplane: Dataplane = 'kernel'): Promise<string> {
  const base = { control: 'gateway', granularity: 'gateway', urpf: 'strict', traffic: true } as const;
  const cases: { label: string; options: Omit<MigrateOptions, 'to'> }[] = [
    ...differencesMs.map((difference) => ({
      label: `D = ${difference}`,
      options: {
        ...base,
        schedule: 'simultaneous' as const,
        offsetsMs: new Map([
          ['g1', Math.max(0, -difference)],
          ['g2', Math.max(0, difference)],
        ]),
      },
    })),
    ...schedules.map((schedule) => ({ label: schedule, options: { ...base, schedule } })),
  ];
  const rows: (string | number)[][] = [];
  const body = async (context: Context, slice: Slice) => {
    const vn = slice.vns[0]!;
    await install(context, slice, { placement: 'initial', urpf: 'strict' });
    for (const [index, { label, options }] of cases.entries()) {
      for (const to of ['final', 'initial']) {
        const result = await migrate(context, slice, vn, { ...options, to });
        const { lost, predictedLost } = result.flows[0]!;
        const [first, second] = result.redirections;
        const real = second!.finishedAt - first!.finishedAt;
        const allowed = 2 + 0.02 * predictedLost!;
        const verdict = Math.abs(lost - predictedLost!) <= allowed ? 'within' : 'OUTSIDE';
        const way = to === 'final' ? 'old slower (240 -> 160)' : 'old faster (160 -> 240)';
        rows.push([label, way, real.toFixed(1), lost, predictedLost!.toFixed(1), allowed.toFixed(1), verdict]);
      }
      progress('strict', index + 1, cases.length);
    }
  };
  await onTestbed(gallerySlice('two-node'), body, dataplane);
  return table(['D planned ms', 'latencies ms', 'D measured ms', 'lost', 'predicted', 'allowed ±', ''], rows);
}
