import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { routerNames } from '../../src/model/router.ts';
import { pathBetween, shortestPaths } from '../../src/planning/paths.ts';
import { arbitrarySlice } from '../support/slices.ts';

const square = [
  { from: 'a', to: 'b', cost: 1 },
  { from: 'b', to: 'c', cost: 1 },
  { from: 'c', to: 'd', cost: 1 },
  { from: 'd', to: 'a', cost: 1 },
];

describe('shortestPaths', () => {
  test('shortestPaths takes the cheaper path even if it has more links', () => {
    const links = [
      { from: 'a', to: 'b', cost: 1 },
      { from: 'b', to: 'c', cost: 1 },
      { from: 'a', to: 'c', cost: 3 },
    ];
    expect(pathBetween(shortestPaths(['a', 'b', 'c'], links), links, 'a', 'c')).toEqual(['a', 'b', 'c']);
  });

  test('shortestPaths breaks ties the same way in both directions', () => {
    const next = shortestPaths(['a', 'b', 'c', 'd'], square);
    expect(pathBetween(next, square, 'a', 'c')).toEqual(['a', 'b', 'c']);
    expect(pathBetween(next, square, 'c', 'a')).toEqual(['c', 'b', 'a']);
  });

  test('pathBetween returns an empty path if there is none', () => {
    expect(pathBetween(shortestPaths(['a', 'b'], []), [], 'a', 'b')).toEqual([]);
  });

  test('the path back is the reverse of the path there, and the rest of a path is a shortest path too', () => {
    fc.assert(
      fc.property(arbitrarySlice, ({ vns }) => {
        const routers = routerNames(vns[0]!);
        const { links } = vns[0]!;
        const next = shortestPaths(routers, links);
        for (const from of routers) {
          for (const to of routers) {
            const path = pathBetween(next, links, from, to);
            expect(path.at(-1)).toBe(to);
            expect(pathBetween(next, links, to, from)).toEqual(path.toReversed());
            if (path.length > 1) expect(pathBetween(next, links, path[1]!, to)).toEqual(path.slice(1));
          }
        }
      }),
    );
  });

  test('shortestPaths finds the cheapest of all simple paths', () => {
    fc.assert(
      fc.property(arbitrarySlice, ({ vns }) => {
        const routers = routerNames(vns[0]!);
        const { links } = vns[0]!;
        const next = shortestPaths(routers, links);
        const cost = (path: string[]) => path.slice(1).reduce((sum, to, index) => sum + linkCost(path[index]!, to), 0);
        const linkCost = (a: string, b: string) =>
          links.find((l) => (l.from === a && l.to === b) || (l.from === b && l.to === a))!.cost;
        const cheapest = (at: string, to: string, seen: string[]): number =>
          at === to
            ? 0
            : Math.min(
                ...links
                  .filter((l) => l.from === at || l.to === at)
                  .map((l) => ({ to: l.from === at ? l.to : l.from, cost: l.cost }))
                  .filter((step) => !seen.includes(step.to))
                  .map((step) => step.cost + cheapest(step.to, to, [...seen, step.to])),
              );
        const [from, to] = [routers[0]!, routers.at(-1)!];
        expect(cost(pathBetween(next, links, from, to))).toBeCloseTo(cheapest(from, to, [from]), 9);
      }),
      { numRuns: 50 },
    );
  });
});
