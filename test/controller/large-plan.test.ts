/** Plans a slice of the size of PlanetLab: 1,000 gateways and 10,000 flows. */
import { afterAll, describe, expect, it } from 'vitest';
import { planText } from '../../src/cli/plan-text.ts';
import { type PlanResult, plan } from '../../src/controller/plan.ts';
import { schedulesFor } from '../../src/planning/schedule/make.ts';
import { largeSlice } from '../support/large-slice.ts';
import { temporaryStore } from '../support/temporary-store.ts';

const slice = largeSlice({ routers: 100, links: 200, gateways: 1000, flows: 10_000 });
const vn = slice.vns[0]!;

describe('a plan for 1,000 gateways and 10,000 flows', () => {
  const { store, remove } = temporaryStore();
  afterAll(remove);
  const context = { store, acceptNewHostKeys: false, report: () => undefined };
  const planned = async (granularity: 'gateway' | 'peer', urpf: 'strict' | 'feasible') => {
    const result = await plan(context, slice, vn, { to: 'final', latency: 'declared', granularity, urpf });
    if (!('schedules' in result)) throw new Error('a plan without schedules');
    return result;
  };
  const objectives = ({ schedules }: PlanResult) => new Map(schedules.map(({ name, objective }) => [name, objective]));

  it('under strict uRPF optimal loses least of the schedules without gates, and per remote gateway even less', async () => {
    const [perGateway, perPeer] = [await planned('gateway', 'strict'), await planned('peer', 'strict')];
    expect(perGateway.schedules.map(({ name }) => name)).toEqual(schedulesFor('strict'));
    for (const result of [perGateway, perPeer]) {
      const losses = objectives(result);
      expect(losses.get('optimal')).toBeGreaterThan(0);
      for (const name of ['simultaneous', 'heuristic'] as const)
        expect(losses.get('optimal')).toBeLessThanOrEqual(losses.get(name)!);
      expect(losses.get('drain')).toBe(0);
    }
    expect(objectives(perPeer).get('optimal')).toBeLessThan(objectives(perGateway).get('optimal')!);
    const [optimal, optimalPerPeer] = [perGateway, perPeer].map(({ schedules }) =>
      schedules.find(({ name }) => name === 'optimal'),
    );
    expect(Object.keys(optimal!.offsets)).toHaveLength(1000);
    const pairs = new Set(vn.flows.map(({ from, to }) => [from, to].sort().join()));
    expect(Object.keys(optimalPerPeer!.offsets)).toHaveLength(2 * pairs.size);
    // As for people: the table stays readable.
    const longest = planText(perGateway)
      .split('\n')
      .reduce((most, line) => Math.max(most, line.length), 0);
    expect(longest).toBeLessThan(1000);
    expect(planText(perGateway)).toContain('and 968 more');
  });

  it('under feasible uRPF nothing is lost, and hold keeps all packets in order', async () => {
    const { schedules } = await planned('gateway', 'feasible');
    expect(schedules.map(({ name, objective }) => [name, objective])).toEqual(
      schedulesFor('feasible').map((name) => [name, 0]),
    );
    const reordered = schedules.map(({ name, flows }) => [name, flows.some((flow) => flow.predictedReordered > 0)]);
    expect(Object.fromEntries(reordered)).toEqual({
      simultaneous: true,
      heuristic: true,
      optimal: true,
      hold: false,
      drain: false,
    });
  });
});
