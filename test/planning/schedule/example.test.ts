import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { flowPath } from '../../../src/planning/loss/flow-path.ts';
import type { Uncertainty } from '../../../src/planning/loss/types.ts';
import { noUncertainty } from '../../../src/planning/loss/uncertainty.ts';
import { evaluate } from '../../../src/planning/schedule/evaluate.ts';
import { makeSchedule, schedulesFor } from '../../../src/planning/schedule/make.ts';
import type { ScheduleName } from '../../../src/planning/schedule/types.ts';

const page = readFileSync(new URL('../../../docs/loss-model.md', import.meta.url), 'utf8');
const gateways = ['ga', 'gb', 'gc'];

/** The flows of slices/three-node.yaml, gateway to gateway, with the sums of its declared latencies. */
const flows = [
  path('a', 'b', 40, 55),
  path('b', 'a', 40, 55),
  path('b', 'c', 46, 32, 2),
  path('c', 'b', 46, 32),
  path('a', 'c', 47, 53),
  path('c', 'a', 47, 53),
];

function path(from: string, to: string, oldMs: number, newMs: number, priority = 1) {
  const flow = { from: `e${from}`, to: `e${to}`, rateBps: 1.5e6, priority };
  return flowPath(flow, { source: `g${from}`, destination: `g${to}`, oldMs, newMs });
}

async function plan(name: ScheduleName, urpf: 'strict' | 'feasible', uncertainty: Uncertainty = noUncertainty) {
  const schedule = makeSchedule(name, { gateways, flows, urpf, granularity: 'gateway', uncertainty });
  return { schedule, ...evaluate(schedule, flows, urpf, uncertainty) };
}

test.each(schedulesFor('strict'))('docs/loss-model.md shows the loss that %s has', async (name) => {
  const { schedule, objective } = await plan(name, 'strict');
  const row = page.split('\n').find((line) => new RegExp(`^\\| ${name} \\| \\d`).test(line));
  const cells = row!.split('|').slice(2, -1).map(Number);
  const shown = new Map(gateways.map((gateway, index) => [gateway, cells[index]!]));
  expect(shown).toEqual(schedule.offsetsMs);

  const asShown = evaluate({ ...schedule, granularity: 'gateway', offsetsMs: shown }, flows, 'strict', noUncertainty);
  expect(asShown.flows.map(({ lostMs }) => lostMs)).toEqual(cells.slice(3, 9));
  expect(asShown.objective).toBeCloseTo(objective, 6);
  expect(cells[9]).toBe(Number(objective.toFixed(1)));
});

test('docs/loss-model.md shows the cost of gates and overtaking', async () => {
  const delays = async (name: ScheduleName, uncertainty?: Uncertainty) => {
    const { schedule, flows: outcomes } = await plan(name, 'feasible', uncertainty);
    return [schedule.gates.get('ga')?.closeBeforeMs, ...outcomes.map(({ addedDelayMs }) => addedDelayMs)];
  };
  const uncertain = new Map(gateways.map((name) => [name, { clockMs: 0.5, latenessMs: 1, gateLatenessMs: 1 }]));
  expect(await delays('drain')).toEqual([47, 47, 46, 46, 47, 47, 47]);
  expect(await delays('drain', uncertain)).toEqual([50, 51, 50, 50, 51, 51, 51]);
  expect(await delays('hold')).toEqual([undefined, 0, 14, 14, 14, 0, 14]);

  const { flows: outcomes } = await plan('optimal', 'feasible');
  expect(outcomes.map(({ reorderedPackets }) => reorderedPackets.toFixed(1))).toEqual([
    '0.0',
    '0.0',
    '1.8',
    '1.8',
    '0.0',
    '0.0',
  ]);
});
