import { describe, expect, test } from 'vitest';
import { withoutOldPath } from '../../../src/planning/loss/flow-path.ts';
import type { Uncertainty } from '../../../src/planning/loss/types.ts';
import { noUncertainty } from '../../../src/planning/loss/uncertainty.ts';
import { evaluate } from '../../../src/planning/schedule/evaluate.ts';
import type { Gate, Schedule } from '../../../src/planning/schedule/types.ts';
import { flowOf } from '../arbitraries.ts';

const flow = { ...flowOf('a', 'b', 240, 160), ratePerMs: 0.5, weight: 1.5 };
const back = { ...flowOf('b', 'a', 20, 60), ratePerMs: 2, weight: 2 };
const inside = flowOf('a', 'a', 0, 0);
const uncertainty: Uncertainty = new Map([
  ['a', { clockMs: 10, latenessMs: 5, gateLatenessMs: 7 }],
  ['b', { clockMs: 20, latenessMs: 15, gateLatenessMs: 0 }],
]);

function schedule(name: Schedule['name'], bMs: number, gates: Record<string, Gate> = {}): Schedule {
  const offsetsMs = new Map(Object.entries({ a: 0, b: bMs }));
  return { name, granularity: 'gateway', offsetsMs, gates: new Map(Object.entries(gates)) };
}

const untouched = {
  lostMs: 0,
  lostPackets: 0,
  worstLostMs: 0,
  worstLostPackets: 0,
  reorderedPackets: 0,
  addedDelayMs: 0,
  windowTooNarrow: false,
};

describe('evaluate', () => {
  test('evaluate under strict uRPF returns the nominal and worst-case loss of each flow, and their weighted sums', () => {
    // a = 35, b = 45 for the flow there; a = 45, b = 35 for the one back, whose window [65, 25] is empty.
    expect(evaluate(schedule('optimal', 250), [flow, back, inside], 'strict', uncertainty)).toEqual({
      flows: [
        {
          ...untouched,
          flow,
          lostMs: 90,
          lostPackets: 45,
          worstLostMs: 135,
          worstLostPackets: 67.5,
          windowTooNarrow: false,
        },
        {
          ...untouched,
          flow: back,
          lostMs: 270,
          lostPackets: 540,
          worstLostMs: 315,
          worstLostPackets: 630,
          windowTooNarrow: true,
        },
        { ...untouched, flow: inside },
      ],
      objective: 1.5 * 90 + 2 * 270,
      worstObjective: 1.5 * 135 + 2 * 315,
    });
  });

  test('evaluate widens the worst case by the spread of uncertain latencies', () => {
    const unsteady = { ...flow, oldMs: 478, oldSpreadMs: 238 };
    const [outcome] = evaluate(schedule('optimal', 250), [unsteady], 'strict', uncertainty).flows;
    // li + a - D = 478 + 35 + 238 - 250; li - lf at worst is 478 + 238 - 160.
    expect(outcome).toMatchObject({ lostMs: 318, worstLostMs: 556, worstLostPackets: 278 });
    const late = evaluate(schedule('optimal', 0), [unsteady], 'strict', uncertainty).flows[0]!;
    expect(late).toMatchObject({ lostMs: 478, worstLostMs: 751 });
    const fast = { ...flow, newSpreadMs: 30 };
    expect(evaluate(schedule('optimal', 300), [fast], 'strict', noUncertainty).flows[0]).toMatchObject({
      lostMs: 140,
      worstLostMs: 170,
    });
  });

  test('evaluate uses the two instants of each pair with redirection per remote gateway', () => {
    const offsetsMs = new Map([
      ['a', new Map(Object.entries({ b: 10, c: 0 }))],
      ['b', new Map(Object.entries({ a: 210, c: 500 }))],
      ['c', new Map(Object.entries({ a: 30, b: 0 }))],
    ]);
    const perPeer: Schedule = { name: 'optimal', granularity: 'peer', offsetsMs, gates: new Map() };
    const flows = [flow, flowOf('c', 'a', 10, 10), flowOf('c', 'b', 300, 400)];
    const { flows: outcomes } = evaluate(perPeer, flows, 'strict', noUncertainty);
    expect(outcomes.map(({ lostMs }) => lostMs)).toEqual([80, 40, 100]);
  });

  test.each(['feasible', 'loose'] as const)('under %s uRPF nothing is lost, and a faster new path reorders', (urpf) => {
    const { flows, objective, worstObjective } = evaluate(
      schedule('simultaneous', 0),
      [flow, back, inside],
      urpf,
      uncertainty,
    );
    expect(flows).toEqual([
      { ...untouched, flow, reorderedPackets: 40 },
      { ...untouched, flow: back },
      { ...untouched, flow: inside },
    ]);
    expect([objective, worstObjective]).toEqual([0, 0]);
  });

  test('a gate adds its delay to every flow from its end hosts, and nothing is lost or reordered', () => {
    const held = schedule('hold', 0, { a: { closeBeforeMs: 7, releaseAfterMs: 80 } });
    expect(evaluate(held, [flow, back, inside], 'feasible', uncertainty).flows).toEqual([
      { ...untouched, flow, addedDelayMs: 87 },
      { ...untouched, flow: back },
      { ...untouched, flow: inside, addedDelayMs: 87 },
    ]);
    const drained = schedule('drain', 0, { a: { closeBeforeMs: 292, releaseAfterMs: 0 } });
    expect(evaluate(drained, [flow, back], 'strict', uncertainty).flows).toEqual([
      { ...untouched, flow, addedDelayMs: 297 },
      { ...untouched, flow: back },
    ]);
  });

  test('evaluate refuses hold under strict uRPF', () => {
    expect(() => evaluate(schedule('hold', 0), [flow], 'strict', noUncertainty)).toThrow(
      "schedule 'hold' loses packets in flight under strict uRPF",
    );
  });

  test.each(['strict', 'feasible', 'loose'] as const)(
    'under %s uRPF a flow without an old path loses nothing, whatever the instants',
    (urpf) => {
      const down = withoutOldPath(flow);
      expect(down).toMatchObject({ oldMs: 160, newMs: 160, ratePerMs: 0.5 });
      for (const bMs of [-500, 0, 200, 500]) {
        expect(evaluate(schedule('simultaneous', bMs), [down, back], urpf, uncertainty)).toMatchObject({
          flows: [{ ...untouched, flow: down }, {}],
          objective: evaluate(schedule('simultaneous', bMs), [back], urpf, uncertainty).objective,
        });
      }
    },
  );
});
