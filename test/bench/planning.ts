/** How much processor time and memory it takes to read slice files of different sizes, and to plan. */
import { table } from '../../src/cli/output.ts';
import { type LargeShape, largeSliceText } from '../support/large-slice.ts';
import { type Alone, runAlone } from './alone/run.ts';
import type { Timed } from './alone/worker.ts';

/** HiGHS is not tried for longer. */
const limitMs = 600_000;

export async function planningBench(sizes = [30, 100, 300, 1000]): Promise<string> {
  const planning: string[][] = [];
  const solving: string[][] = [];
  for (const gateways of sizes) {
    const shape: LargeShape = {
      gateways,
      flows: 10 * gateways,
      routers: Math.max(4, gateways / 10),
      links: Math.max(6, gateways / 5),
    };
    const size = [String(gateways), String(shape.flows)];
    const megabytes = (largeSliceText(shape).length / 1e6).toFixed(2);
    planning.push([
      ...[...size, megabytes],
      ...columnsOf(await runAlone('validate', shape)),
      ...columnsOf(await runAlone('plan', { shape, granularity: 'gateway', schedule: 'optimal' })),
      ...columnsOf(await runAlone('plan', { shape, granularity: 'gateway' })),
      ...columnsOf(await runAlone('plan', { shape, granularity: 'peer' })),
    ]);
    const [simplex, highs] = [
      await runAlone('optimal', { shape, by: 'simplex' }),
      await runAlone('optimal', { shape, by: 'highs' }, limitMs),
    ];
    solving.push([
      ...size,
      ...[simplex, highs].flatMap((one) => [
        ...columnsOf(one),
        one === undefined ? '-' : one.result.objective.toFixed(4),
      ]),
    ]);
  }
  return [
    table(
      [
        'gateways',
        'flows',
        'file MB',
        'validate s',
        'MB',
        'plan optimal s',
        'MB',
        'all schedules s',
        'MB',
        'all, peer s',
        'MB',
      ],
      planning,
    ),
    table(['gateways', 'flows', 'simplex s', 'MB', 'loss', 'HiGHS s', 'MB', 'loss'], solving),
  ].join('\n\n');
}

function columnsOf(alone: Alone<Timed> | undefined): [seconds: string, megabytes: string] {
  return alone === undefined ? ['-', '-'] : [(alone.result.cpuMs / 1000).toFixed(2), alone.peakMb.toFixed(0)];
}
