import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cheapestCirculation, type Network } from '../../../src/planning/schedule/circulation.ts';

interface Arc {
  readonly from: number;
  readonly to: number;
  readonly capacity: number;
  readonly cost: number;
}

function networkOf(size: number, arcs: readonly Arc[]): Network {
  return {
    size,
    from: Int32Array.from(arcs, ({ from }) => from),
    to: Int32Array.from(arcs, ({ to }) => to),
    capacity: Float64Array.from(arcs, ({ capacity }) => capacity),
    cost: Float64Array.from(arcs, ({ cost }) => cost),
  };
}

/** Networks with few different numbers have many ties; some capacities are 0. */
const networks = fc.integer({ min: 1, max: 12 }).chain((size) => {
  const node = fc.nat(size - 1);
  const [capacity, cost] = [fc.constantFrom(0, 1, 1, 2, 5, 2 ** 50), fc.integer({ min: -3, max: 3 })];
  return fc
    .array(fc.record({ from: node, to: node, capacity, cost }), { maxLength: 60 })
    .map((arcs) => ({ size, arcs: arcs.filter(({ from, to }) => from !== to) }));
});

/** The cost of the cheapest circulation with these capacities, by trying every flow. */
function exhaustive(size: number, arcs: readonly Arc[]): number {
  let best = 0;
  const balance = Array.from({ length: size }, () => 0);
  const walk = (index: number, cost: number) => {
    const arc = arcs[index];
    if (arc === undefined) {
      if (balance.every((amount) => amount === 0)) best = Math.min(best, cost);
      return;
    }
    for (let amount = 0; amount <= arc.capacity; amount += 1) {
      balance[arc.from]! -= amount;
      balance[arc.to]! += amount;
      walk(index + 1, cost + amount * arc.cost);
      balance[arc.from]! += amount;
      balance[arc.to]! -= amount;
    }
  };
  walk(0, 0);
  return best;
}

describe('cheapestCirculation', () => {
  test('the flow is a circulation, and no arc contradicts the potentials, which proves that both are optimal', () => {
    fc.assert(
      fc.property(networks, ({ size, arcs }) => {
        const { flow, potential } = cheapestCirculation(networkOf(size, arcs));
        const balance = Array.from({ length: size }, () => 0);
        arcs.forEach(({ from, to, capacity, cost }, arc) => {
          const amount = flow[arc]!;
          balance[from]! -= amount;
          balance[to]! += amount;
          expect(Number.isInteger(amount) && amount >= 0 && amount <= capacity).toBe(true);
          const difference = potential[to]! - potential[from]!;
          if (amount < capacity) expect(difference).toBeLessThanOrEqual(cost);
          if (amount > 0) expect(difference).toBeGreaterThanOrEqual(cost);
        });
        expect(balance.every((amount) => amount === 0)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('no other circulation is cheaper', () => {
    const small = fc.integer({ min: 2, max: 4 }).chain((size) => {
      const node = fc.nat(size - 1);
      const arc = fc.record({ from: node, to: node, capacity: fc.nat(2), cost: fc.integer({ min: -4, max: 4 }) });
      return fc
        .array(arc, { maxLength: 7 })
        .map((arcs) => ({ size, arcs: arcs.filter(({ from, to }) => from !== to) }));
    });
    fc.assert(
      fc.property(small, ({ size, arcs }) => {
        const { flow } = cheapestCirculation(networkOf(size, arcs));
        const cost = arcs.reduce((sum, arc, index) => sum + arc.cost * flow[index]!, 0);
        expect(cost).toBe(exhaustive(size, arcs));
      }),
      { numRuns: 200 },
    );
  });

  test('a large network with costs that differ little is solved exactly', () => {
    const size = 400;
    let state = 1;
    const next = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    const arcs = Array.from({ length: 8000 }, () => ({
      from: next(size),
      to: next(size),
      capacity: next(3) * 2 ** 40,
      cost: 1_000_000_000 + next(3) - 2_000_000_000 * next(2),
    })).filter(({ from, to }) => from !== to);
    const { flow, potential } = cheapestCirculation(networkOf(size, arcs));
    const wrong = arcs.filter(({ from, to, capacity, cost }, arc) => {
      const difference = potential[to]! - potential[from]!;
      return (flow[arc]! < capacity && difference > cost) || (flow[arc]! > 0 && difference < cost);
    });
    expect(wrong).toEqual([]);
    expect(flow.some((amount) => amount > 0)).toBe(true);
  });
});
