import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { strictLossMs } from '../../../src/planning/loss/strict.ts';
import type { FlowPath, Uncertainty } from '../../../src/planning/loss/types.ts';
import { flowTiming, noUncertainty } from '../../../src/planning/loss/uncertainty.ts';
import { evaluate } from '../../../src/planning/schedule/evaluate.ts';
import { makeSchedule } from '../../../src/planning/schedule/make.ts';
import { offsetMs } from '../../../src/planning/schedule/offsets.ts';
import { optimalOffsets } from '../../../src/planning/schedule/optimal.ts';
import type { Granularity, ScheduleName } from '../../../src/planning/schedule/types.ts';
import { randomOf } from '../../chaos/random.ts';
import { optimalByHighs } from '../../support/optimal-by-highs.ts';
import { flowOf, flowsBetween, gatewayNames, timings } from '../arbitraries.ts';

const slackMs = 1e-5;

function losses(
  name: ScheduleName,
  flows: readonly FlowPath[],
  uncertainty: Uncertainty = noUncertainty,
  granularity: Granularity = 'gateway',
) {
  const request = { gateways: gatewayNames, flows, urpf: 'strict', granularity, uncertainty } as const;
  const { worstObjective, flows: outcomes } = evaluate(makeSchedule(name, request), flows, 'strict', uncertainty);
  return { objective: worstObjective, largestMs: Math.max(0, ...outcomes.map(({ worstLostMs }) => worstLostMs)) };
}

/** The least weighted loss on a grid of instants, and the smallest maximum lost time among the optima of the grid. */
function exhaustive(gateways: readonly string[], flows: readonly FlowPath[], uncertainty: Uncertainty, stepMs: number) {
  const timed = flows.map((flow) => ({ ...flow, timing: flowTiming(flow, uncertainty) }));
  const reachMs = Math.max(
    0,
    ...timed.flatMap(({ oldMs, newMs, timing }) => [Math.abs(oldMs + timing.earlyMs), Math.abs(newMs - timing.lateMs)]),
  );
  const instants = grid((gateways.length - 1) * reachMs, stepMs);
  let best = { objective: Number.POSITIVE_INFINITY, largestMs: Number.POSITIVE_INFINITY };
  const at = new Map(gateways.map((gateway) => [gateway, 0]));
  const search = (index: number) => {
    if (index === gateways.length) {
      const lost = timed.map((flow) =>
        strictLossMs({ ...flow, differenceMs: at.get(flow.destination)! - at.get(flow.source)! }, flow.timing),
      );
      const objective = lost.reduce((sum, ms, flow) => sum + ms * timed[flow]!.weight, 0);
      const largestMs = Math.max(0, ...lost);
      const better = objective < best.objective || (objective === best.objective && largestMs < best.largestMs);
      if (better) best = { objective, largestMs };
      return;
    }
    for (const instant of instants) {
      at.set(gateways[index]!, instant);
      search(index + 1);
    }
  };
  search(1);
  return best;
}

function grid(reachMs: number, stepMs: number): number[] {
  return Array.from({ length: (2 * reachMs) / stepMs + 1 }, (_, index) => index * stepMs - reachMs);
}

describe('optimal', () => {
  test.each([
    { gateways: gatewayNames.slice(0, 3), stepMs: 0.5, uncertainMs: 1, numRuns: 60 },
    { gateways: gatewayNames, stepMs: 1, uncertainMs: 0, numRuns: 20 },
  ])('optimal loses as little as an exhaustive search with $gateways.length gateways', (instance) => {
    // With whole ms the optimum is at whole ms, or at half ms if a window is narrower than the uncertainty.
    const { gateways, stepMs, uncertainMs, numRuns } = instance;
    fc.assert(
      fc.property(flowsBetween(gateways, -2, 4), timings(gateways, uncertainMs), (flows, uncertainty) => {
        const found = losses('optimal', flows, uncertainty);
        const best = exhaustive(gateways, flows, uncertainty, stepMs);
        expect(Math.abs(found.objective - best.objective)).toBeLessThan(slackMs);
        expect(found.largestMs).toBeLessThan(best.largestMs + slackMs);
      }),
      { numRuns },
    );
  });

  test('optimal has the smallest maximum lost time among the optima of two gateways', () => {
    const gateways = gatewayNames.slice(0, 2);
    fc.assert(
      fc.property(flowsBetween(gateways, -5, 20), timings(gateways, 2), (flows, uncertainty) => {
        const found = losses('optimal', flows, uncertainty);
        const best = exhaustive(gateways, flows, uncertainty, 0.5);
        expect(Math.abs(found.objective - best.objective)).toBeLessThan(slackMs);
        expect(Math.abs(found.largestMs - best.largestMs)).toBeLessThan(slackMs);
      }),
    );
  });

  test('the rounding of weights does not hide that several instants are optimal', () => {
    // The loss from g-1 (5 + 4) is that to it and to the others (3 + 2 + 4) over a range of instants.
    const flows = [
      flowOf('g-1', 'free', -1, 0, 5),
      flowOf('g-1', 'st', 1, 1, 4),
      flowOf('free', 'g-1', 0, 0, 3),
      flowOf('free', 'st', 0, 1),
      flowOf('st', 'g-1', 0, 0, 2),
      flowOf('st', 'free', -1, 0),
    ];
    const gateways = gatewayNames.slice(0, 3);
    const uncertainty = new Map(
      gateways.map((name) => [name, { clockMs: name === 'free' ? 1 : 0, latenessMs: 0, gateLatenessMs: 0 }]),
    );
    const [found, best] = [losses('optimal', flows, uncertainty), exhaustive(gateways, flows, uncertainty, 0.5)];
    expect(found.objective).toBeCloseTo(best.objective, 5);
    expect(found.largestMs).toBeLessThan(best.largestMs + slackMs);
  });

  test('optimal shares the loss of two equal directions evenly', () => {
    const flows = [flowOf('g-1', 'st', 40, 80), flowOf('st', 'g-1', 40, 80)];
    expect(losses('optimal', flows)).toEqual({ objective: 80, largestMs: 40 });
    expect(losses('simultaneous', flows)).toEqual({ objective: 80, largestMs: 40 });
    expect(losses('heuristic', flows)).toEqual({ objective: 100, largestMs: 100 });
  });

  test('optimal never loses more than simultaneous or the heuristic, and per remote gateway never more than per gateway', () => {
    const flows = flowsBetween(gatewayNames, -50_000, 250_000).map((all) =>
      all.map((flow) => ({ ...flow, oldMs: flow.oldMs / 1000, newMs: flow.newMs / 1000 })),
    );
    fc.assert(
      fc.property(flows, timings(gatewayNames, 20), (flows, uncertainty) => {
        const perGateway = losses('optimal', flows, uncertainty);
        const perPeer = losses('optimal', flows, uncertainty, 'peer');
        const others = [losses('simultaneous', flows, uncertainty), losses('heuristic', flows, uncertainty)];
        for (const other of others) expect(perGateway.objective).toBeLessThan(other.objective + slackMs);
        expect(perPeer.objective).toBeLessThan(perGateway.objective + slackMs);
        const heuristicPerPeer = losses('heuristic', flows, uncertainty, 'peer');
        expect(perPeer.objective).toBeLessThan(heuristicPerPeer.objective + slackMs);
      }),
      { numRuns: 60 },
    );
  });

  test('optimal handles weights of very different sizes', () => {
    const flows = [flowOf('g-1', 'st', 240, 160, 1e-4), flowOf('st', 'g-1', 100, 120, 1e-7)];
    expect(losses('optimal', flows).objective).toBeCloseTo(80e-4 + 260e-7, 9);
  });

  test('optimal handles 11 gateways and 110 flows', () => {
    const gateways = Array.from({ length: 11 }, (_, index) => `gw-${index}`);
    const flows = gateways.flatMap((a, i) =>
      gateways.flatMap((b, j) =>
        i === j
          ? []
          : [flowOf(a, b, ((i * 37 + j * 11) % 90) + 5, ((i * 13 + j * 29) % 90) + 5, 1 + ((3 * i + j) % 4))],
      ),
    );
    expect(flows).toHaveLength(110);
    const request = { gateways, flows, urpf: 'strict', granularity: 'gateway', uncertainty: noUncertainty } as const;
    const [optimal, simultaneous] = (['optimal', 'simultaneous'] as const).map((name) =>
      evaluate(makeSchedule(name, request), flows, 'strict', noUncertainty),
    );
    expect(optimal!.objective).toBeLessThan(simultaneous!.objective);
  });

  test('optimal is as good as the linear programs of HiGHS, with up to 30 gateways and 300 flows', async () => {
    const shapes = fc.record({
      seed: fc.nat(),
      gateways: fc.integer({ min: 2, max: 30 }),
      flowsPerGateway: fc.constantFrom(1, 2, 4, 10),
      spreadMs: fc.constantFrom(0, 3, 100),
      uncertainMs: fc.constantFrom(0, 0, 1, 20),
      weights: fc.constantFrom('equal', 'alike', 'far apart', 'some zero'),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        const { group, uncertainty } = instanceOf(shape);
        const [found, known] = [optimalOffsets(group, uncertainty), await optimalByHighs(group, uncertainty)].map(
          (offsets) => measuresOf(group.flows, offsets, uncertainty),
        );
        // HiGHS has tolerances of 1e-7, and may take a slightly larger sum for a smaller maximum.
        const hasSmallerMaximum = known!.largestMs < found!.largestMs - 1e-3;
        const scale = group.flows.reduce((sum, { weight }) => sum + weight, 1);
        expect(Math.abs(found!.objective - known!.objective)).toBeLessThan(1e-5 * scale);
        if (hasSmallerMaximum) expect(known!.objective).toBeGreaterThan(found!.objective);
      }),
      { numRuns: 150 },
    );
  });

  test('optimal is the middle of all optimal instants', () => {
    const flows = [flowOf('g-1', 'st', 40, 80), flowOf('st', 'free', 10, 30)];
    const offsets = optimalOffsets({ gateways: ['g-1', 'st', 'free'], flows }, noUncertainty);
    expect([...offsets.values()]).toEqual([0, 60, 80]);
  });

  test('a flow whose old path is down influences nothing', () => {
    const flows = [flowOf('g-1', 'st', 40, 80), { ...flowOf('st', 'g-1', 500, 500, 0), isOldDown: true }];
    const request = { gateways: ['g-1', 'st'], flows, urpf: 'strict', uncertainty: noUncertainty } as const;
    for (const granularity of ['gateway', 'peer'] as const) {
      const schedule = makeSchedule('optimal', { ...request, granularity });
      expect(offsetMs(schedule, 'st', 'g-1') - offsetMs(schedule, 'g-1', 'st')).toBe(60);
    }
  });

  test('optimal is exact with latencies in ns, and with latencies of years', () => {
    const fine = [flowOf('g-1', 'st', 1e-6, 3e-6), flowOf('st', 'g-1', -2e-6, -2e-6)];
    expect(losses('optimal', fine)).toEqual({ objective: 0, largestMs: 0 });
    const coarse = [flowOf('g-1', 'st', 1e12, 3e12), flowOf('st', 'free', 0, 1)];
    expect(losses('optimal', coarse)).toEqual({ objective: 0, largestMs: 0 });
  });
});

interface Shape {
  readonly seed: number;
  readonly gateways: number;
  readonly flowsPerGateway: number;
  readonly spreadMs: number;
  readonly uncertainMs: number;
  readonly weights: string;
}

/** Random flows that connect all gateways, with latencies in ms to three digits. */
function instanceOf({ seed, gateways, flowsPerGateway, spreadMs, uncertainMs, weights }: Shape) {
  const random = randomOf(seed, 0);
  const upTo = (most: number) => Math.round(random.next() * most * 1000) / 1000;
  const names = Array.from({ length: gateways }, (_, index) => `g${index}`);
  const weightOf = {
    equal: () => 1,
    alike: () => 1 + upTo(4),
    'far apart': () => 10 ** random.pick([-2, -1, 0, 1]),
    'some zero': () => random.pick([0, 1, 2]),
  }[weights]!;
  const flow = (source: string, destination: string) =>
    flowOf(source, destination, 20 + upTo(spreadMs), 20 + upTo(spreadMs), weightOf());
  const chain = names.slice(1).map((name, index) => flow(names[index]!, name));
  const others = names
    .flatMap((name) => Array.from({ length: flowsPerGateway - 1 }, () => [name, random.pick(names)] as const))
    .filter(([source, destination]) => source !== destination);
  const flows = [...chain, ...others.map(([source, destination]) => flow(source, destination))];
  const timing = () => ({ clockMs: upTo(uncertainMs), latenessMs: upTo(uncertainMs), gateLatenessMs: 0 });
  const uncertainty: Uncertainty = new Map(names.map((name) => [name, timing()]));
  return { group: { gateways: names, flows }, uncertainty };
}

/** The weighted sum and the maximum of the lost times. */
function measuresOf(flows: readonly FlowPath[], offsets: ReadonlyMap<string, number>, uncertainty: Uncertainty) {
  const lost = flows.map((flow) =>
    strictLossMs(
      { ...flow, differenceMs: offsets.get(flow.destination)! - offsets.get(flow.source)! },
      flowTiming(flow, uncertainty),
    ),
  );
  return {
    objective: lost.reduce((sum, ms, index) => sum + ms * flows[index]!.weight, 0),
    largestMs: Math.max(...lost),
  };
}
