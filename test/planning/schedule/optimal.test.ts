import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { strictLossMs } from '../../../src/planning/loss/strict.ts';
import type { FlowPath, Uncertainty } from '../../../src/planning/loss/types.ts';
import { flowTiming, noUncertainty } from '../../../src/planning/loss/uncertainty.ts';
import { evaluate } from '../../../src/planning/schedule/evaluate.ts';
import { makeSchedule } from '../../../src/planning/schedule/make.ts';
import type { Granularity, ScheduleName } from '../../../src/planning/schedule/types.ts';
import { flowOf, flowsBetween, gatewayNames, timings } from '../arbitraries.ts';

const slackMs = 1e-5;

async function losses(
  name: ScheduleName,
  flows: readonly FlowPath[],
  uncertainty: Uncertainty = noUncertainty,
  granularity: Granularity = 'gateway',
) {
  const request = { gateways: gatewayNames, flows, urpf: 'strict', granularity, uncertainty } as const;
  const { worstObjective, flows: outcomes } = evaluate(await makeSchedule(name, request), flows, 'strict', uncertainty);
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
  ])('optimal loses as little as an exhaustive search with $gateways.length gateways', async (instance) => {
    // With whole ms the optimum is at whole ms, or at half ms if a window is narrower than the uncertainty.
    const { gateways, stepMs, uncertainMs, numRuns } = instance;
    await fc.assert(
      fc.asyncProperty(flowsBetween(gateways, -2, 4), timings(gateways, uncertainMs), async (flows, uncertainty) => {
        const found = await losses('optimal', flows, uncertainty);
        const best = exhaustive(gateways, flows, uncertainty, stepMs);
        expect(Math.abs(found.objective - best.objective)).toBeLessThan(slackMs);
        expect(found.largestMs).toBeLessThan(best.largestMs + slackMs);
      }),
      { numRuns },
    );
  });

  test('optimal has the smallest maximum lost time among the optima of two gateways', async () => {
    const gateways = gatewayNames.slice(0, 2);
    await fc.assert(
      fc.asyncProperty(flowsBetween(gateways, -5, 20), timings(gateways, 2), async (flows, uncertainty) => {
        const found = await losses('optimal', flows, uncertainty);
        const best = exhaustive(gateways, flows, uncertainty, 0.5);
        expect(Math.abs(found.objective - best.objective)).toBeLessThan(slackMs);
        expect(Math.abs(found.largestMs - best.largestMs)).toBeLessThan(slackMs);
      }),
    );
  });

  test('optimal shares the loss of two equal directions evenly', async () => {
    const flows = [flowOf('g-1', 'st', 40, 80), flowOf('st', 'g-1', 40, 80)];
    expect(await losses('optimal', flows)).toEqual({ objective: 80, largestMs: 40 });
    expect(await losses('simultaneous', flows)).toEqual({ objective: 80, largestMs: 40 });
    expect(await losses('heuristic', flows)).toEqual({ objective: 100, largestMs: 100 });
  });

  test('optimal never loses more than simultaneous or the heuristic, and per remote gateway never more than per gateway', async () => {
    const flows = flowsBetween(gatewayNames, -50_000, 250_000).map((all) =>
      all.map((flow) => ({ ...flow, oldMs: flow.oldMs / 1000, newMs: flow.newMs / 1000 })),
    );
    await fc.assert(
      fc.asyncProperty(flows, timings(gatewayNames, 20), async (flows, uncertainty) => {
        const perGateway = await losses('optimal', flows, uncertainty);
        const perPeer = await losses('optimal', flows, uncertainty, 'peer');
        const others = [
          await losses('simultaneous', flows, uncertainty),
          await losses('heuristic', flows, uncertainty),
        ];
        for (const other of others) expect(perGateway.objective).toBeLessThan(other.objective + slackMs);
        expect(perPeer.objective).toBeLessThan(perGateway.objective + slackMs);
        const heuristicPerPeer = await losses('heuristic', flows, uncertainty, 'peer');
        expect(perPeer.objective).toBeLessThan(heuristicPerPeer.objective + slackMs);
      }),
      { numRuns: 60 },
    );
  });

  test('optimal handles weights of very different sizes', async () => {
    const flows = [flowOf('g-1', 'st', 240, 160, 1e-4), flowOf('st', 'g-1', 100, 120, 1e-7)];
    expect((await losses('optimal', flows)).objective).toBeCloseTo(80e-4 + 260e-7, 9);
  });

  test('optimal handles 11 gateways and 110 flows', async () => {
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
    const [optimal, simultaneous] = await Promise.all(
      (['optimal', 'simultaneous'] as const).map(async (name) =>
        evaluate(await makeSchedule(name, request), flows, 'strict', noUncertainty),
      ),
    );
    expect(optimal!.objective).toBeLessThan(simultaneous!.objective);
  });
});
