/** `node worker.ts TASK OPTIONS` runs one task and prints its result with the peak memory of this process, as JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { declaredFlowPaths } from '../../../src/controller/migration/flow-paths.ts';
import { plan } from '../../../src/controller/plan.ts';
import { noUncertainty } from '../../../src/planning/loss/uncertainty.ts';
import { evaluate } from '../../../src/planning/schedule/evaluate.ts';
import { makeSchedule } from '../../../src/planning/schedule/make.ts';
import { optimalOffsets } from '../../../src/planning/schedule/optimal.ts';
import type { ScheduleName } from '../../../src/planning/schedule/types.ts';
import { parseSlice } from '../../../src/slicefile/index.ts';
import { openStore } from '../../../src/store/store.ts';
import { type LargeShape, largeSlice, largeSliceText } from '../../support/large-slice.ts';
import { optimalByHighs } from '../../support/optimal-by-highs.ts';
import { measureGrowth } from '../growth.ts';

export interface Timed {
  readonly ms: number;
}

async function timed(body: () => unknown): Promise<Timed> {
  const startMs = performance.now();
  await body();
  return { ms: performance.now() - startMs };
}

/** The flows of a large slice between its two placements. */
function flowsOf(shape: LargeShape) {
  const slice = largeSlice(shape);
  const vn = slice.vns[0]!;
  const [from, to] = ['initial', 'final'].map((name) => vn.placements.get(name)!);
  return { gateways: vn.gateways.map(({ name }) => name), flows: declaredFlowPaths(slice, vn, from!, to!, 1500) };
}

const tasks = {
  /** Reads a slice file. */
  validate(shape: LargeShape): Promise<Timed> {
    const text = largeSliceText(shape);
    return timed(() => parseSlice(text, 'large.yaml'));
  },

  /** Reads a slice file and plans as `plan --latency declared --urpf strict` does, by default all schedules. */
  async plan({ shape, ...options }: { shape: LargeShape; granularity: 'gateway' | 'peer'; schedule?: ScheduleName }) {
    const text = largeSliceText(shape);
    const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-bench-'));
    const store = openStore(join(directory, 'bench.db'));
    try {
      const context = { store, acceptNewHostKeys: false, report: () => {} };
      return await timed(async () => {
        const slice = parseSlice(text, 'large.yaml');
        const result = await plan(context, slice, slice.vns[0]!, {
          to: 'final',
          latency: 'declared',
          urpf: 'strict',
          ...options,
        });
        JSON.stringify(result);
      });
    } finally {
      store.close();
      rmSync(directory, { recursive: true });
    }
  },

  /** Makes the optimal schedule, by the network simplex or by HiGHS; the objective in packets x priority. */
  async optimal({ shape, by }: { shape: LargeShape; by: 'simplex' | 'highs' }): Promise<Timed & { objective: number }> {
    const { gateways, flows } = flowsOf(shape);
    const group = { gateways, flows: flows.filter(({ source, destination }) => source !== destination) };
    const startMs = performance.now();
    const offsetsMs = await (by === 'simplex' ? optimalOffsets : optimalByHighs)(group, noUncertainty);
    const ms = performance.now() - startMs;
    const request = { gateways, flows, urpf: 'strict', granularity: 'gateway', uncertainty: noUncertainty } as const;
    const schedule = { ...makeSchedule('simultaneous', request), granularity: 'gateway', offsetsMs } as const;
    return { ms, objective: evaluate(schedule, flows, 'strict', noUncertainty).objective };
  },

  growth: measureGrowth,
};

export type Tasks = typeof tasks;

const [name, options] = process.argv.slice(2);
const task = tasks[name as keyof Tasks] as (options: unknown) => unknown;
const result = await task(JSON.parse(options!));
console.log(JSON.stringify({ result, peakMb: process.resourceUsage().maxRSS / 1024 }));
