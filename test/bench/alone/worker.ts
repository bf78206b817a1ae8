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

/** Processor time: what else the machine does changes it less than the time that passes. */
export interface Timed {
  readonly cpuMs: number;
}

async function timed<T>(body: () => T | Promise<T>): Promise<[T, Timed]> {
  const before = process.cpuUsage();
  const value = await body();
  const { user, system } = process.cpuUsage(before);
  return [value, { cpuMs: (user + system) / 1000 }];
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
  async validate(shape: LargeShape): Promise<Timed> {
    const text = largeSliceText(shape);
    const [, time] = await timed(() => parseSlice(text, 'large.yaml'));
    return time;
  },

  /** Reads a slice file and plans as `plan --latency declared --urpf strict` does, by default all schedules. */
  async plan({ shape, ...options }: { shape: LargeShape; granularity: 'gateway' | 'peer'; schedule?: ScheduleName }) {
    const text = largeSliceText(shape);
    const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-bench-'));
    const store = openStore(join(directory, 'bench.db'));
    try {
      const context = { store, acceptNewHostKeys: false, report: () => {} };
      const [, time] = await timed(async () => {
        const slice = parseSlice(text, 'large.yaml');
        const result = await plan(context, slice, slice.vns[0]!, {
          to: 'final',
          latency: 'declared',
          urpf: 'strict',
          ...options,
        });
        return JSON.stringify(result);
      });
      return time;
    } finally {
      store.close();
      rmSync(directory, { recursive: true });
    }
  },

  /** Makes the optimal schedule, by the network simplex or by HiGHS; the objective in packets x priority. */
  async optimal({ shape, by }: { shape: LargeShape; by: 'simplex' | 'highs' }): Promise<Timed & { objective: number }> {
    const { gateways, flows } = flowsOf(shape);
    const group = { gateways, flows: flows.filter(({ source, destination }) => source !== destination) };
    const solve = by === 'simplex' ? optimalOffsets : optimalByHighs;
    const [offsetsMs, time] = await timed(() => solve(group, noUncertainty));
    const request = { gateways, flows, urpf: 'strict', granularity: 'gateway', uncertainty: noUncertainty } as const;
    const schedule = { ...makeSchedule('simultaneous', request), granularity: 'gateway', offsetsMs } as const;
    return { ...time, objective: evaluate(schedule, flows, 'strict', noUncertainty).objective };
  },

  growth: measureGrowth,
};

export type Tasks = typeof tasks;

const [name, options] = process.argv.slice(2);
const task = tasks[name as keyof Tasks] as (options: unknown) => unknown;
const result = await task(JSON.parse(options!));
console.log(JSON.stringify({ result, peakMb: process.resourceUsage().maxRSS / 1024 }));
