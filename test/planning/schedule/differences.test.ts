import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Constraint, largestValues } from '../../../src/planning/schedule/differences.ts';

const systems = fc.integer({ min: 1, max: 7 }).chain((size) => {
  const node = fc.nat(size - 1);
  return fc.record({
    size: fc.constant(size),
    constraints: fc.array(fc.record({ from: node, to: node, bound: fc.integer({ min: -2, max: 9 }) }), {
      maxLength: 16,
    }),
    atMost: fc.array(fc.integer({ min: -9, max: 9 }), { minLength: size, maxLength: size }),
  });
});

/** Shortest distances between all nodes, by the algorithm of Floyd and Warshall. */
function distances(size: number, constraints: readonly Constraint[]): number[][] {
  const nodes = [...Array(size).keys()];
  const found = nodes.map((from) => nodes.map((to) => (from === to ? 0 : Number.POSITIVE_INFINITY)));
  for (const { from, to, bound } of constraints) found[from]![to] = Math.min(found[from]![to]!, bound);
  for (const over of nodes) {
    for (const from of nodes) {
      for (const to of nodes) found[from]![to] = Math.min(found[from]![to]!, found[from]![over]! + found[over]![to]!);
    }
  }
  return found;
}

describe('largestValues', () => {
  test('the values are the largest that satisfy all constraints, or a circle of constraints sums to less than 0', () => {
    fc.assert(
      fc.property(systems, ({ size, constraints, atMost }) => {
        const found = largestValues({ size, constraints }, Float64Array.from(atMost));
        const shortest = distances(size, constraints);
        const isImpossible = shortest.some((row, node) => row[node]! < 0);
        expect('circle' in found).toBe(isImpossible);
        if ('circle' in found) {
          expect(found.circle.reduce((sum, { bound }) => sum + bound, 0)).toBeLessThan(0);
          expect(found.circle.every((constraint) => constraints.includes(constraint))).toBe(true);
          found.circle.forEach(({ from }, index) => {
            expect(from).toBe(found.circle[(index + 1) % found.circle.length]!.to);
          });
          return;
        }
        const wanted = atMost.map((_, node) => Math.min(...atMost.map((most, from) => most + shortest[from]![node]!)));
        expect([...found.values]).toEqual(wanted);
      }),
      { numRuns: 500 },
    );
  });

  test('a value without a bound stays infinite', () => {
    const constraints = [{ from: 0, to: 1, bound: 5 }];
    const atMost = Float64Array.from([0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(largestValues({ size: 3, constraints }, atMost)).toEqual({
      values: Float64Array.from([0, 5, Number.POSITIVE_INFINITY]),
    });
  });
});
