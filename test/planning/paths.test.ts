import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { routerNames } from '../../src/model/router.ts';
import type { VirtualLink } from '../../src/model/slice.ts';
import { shortestPaths } from '../../src/planning/paths.ts';
import { arbitrarySlice } from '../support/slices.ts';

const square = [
  { from: 'a', to: 'b', cost: 1 },
  { from: 'b', to: 'c', cost: 1 },
  { from: 'c', to: 'd', cost: 1 },
  { from: 'd', to: 'a', cost: 1 },
];

/**
 * All simple paths between two routers, each with its weight: the costs in millionths, and below them a distinct power
 * of two per link.
 */
function simplePaths(links: readonly VirtualLink[], from: string, to: string): { path: string[]; weight: bigint }[] {
  const found: { path: string[]; weight: bigint }[] = [];
  const walk = (path: string[], weight: bigint) => {
    const at = path.at(-1)!;
    if (at === to) found.push({ path, weight });
    else {
      links.forEach((link, index) => {
        const next = link.from === at ? link.to : link.to === at ? link.from : undefined;
        if (next === undefined || path.includes(next)) return;
        const cost = BigInt(Math.round(link.cost * 1e6));
        walk([...path, next], weight + (cost << BigInt(links.length)) + (1n << BigInt(index)));
      });
    }
  };
  walk([from], 0n);
  return found;
}

/** Up to 9 links between 5 routers, of which some may have no link, with many costs alike and some that count as 0. */
const graphs = fc
  .array(fc.tuple(fc.nat(4), fc.nat(4), fc.constantFrom(1, 1, 1, 2, 3, 0.5, 1e-9, 1e15)), { maxLength: 9 })
  .map((all) => all.flatMap(([a, b, cost]) => (a === b ? [] : [{ from: `r${a}`, to: `r${b}`, cost }])));
const fiveRouters = ['r0', 'r1', 'r2', 'r3', 'r4'];

describe('shortestPaths', () => {
  test('shortestPaths takes the cheaper path even if it has more links', () => {
    const links = [
      { from: 'a', to: 'b', cost: 1 },
      { from: 'b', to: 'c', cost: 1 },
      { from: 'a', to: 'c', cost: 3 },
    ];
    expect(shortestPaths(['a', 'b', 'c'], links).between('a', 'c')).toEqual(['a', 'b', 'c']);
  });

  test('shortestPaths breaks ties the same way in both directions', () => {
    const paths = shortestPaths(['a', 'b', 'c', 'd'], square);
    expect(paths.between('a', 'c')).toEqual(['a', 'b', 'c']);
    expect(paths.between('c', 'a')).toEqual(['c', 'b', 'a']);
  });

  test('routers without a path have neither routers between them nor a first link', () => {
    const paths = shortestPaths(['a', 'b'], []);
    expect(paths.between('a', 'b')).toEqual([]);
    expect(paths.firstLink('a', 'b')).toBeUndefined();
    expect(paths.between('a', 'a')).toEqual(['a']);
    expect(paths.firstLink('a', 'a')).toBeUndefined();
  });

  test('the path back is the reverse of the path there, and the rest of a path is a shortest path too', () => {
    fc.assert(
      fc.property(arbitrarySlice, ({ vns }) => {
        const routers = routerNames(vns[0]!);
        const paths = shortestPaths(routers, vns[0]!.links);
        for (const from of routers) {
          for (const to of routers) {
            const path = paths.between(from, to);
            expect(path.at(-1)).toBe(to);
            expect(paths.between(to, from)).toEqual(path.toReversed());
            if (path.length > 1) expect(paths.between(path[1]!, to)).toEqual(path.slice(1));
          }
        }
      }),
    );
  });

  test('shortestPaths finds the one simple path with the least weight, however alike the costs are', () => {
    fc.assert(
      fc.property(graphs, (links) => {
        const paths = shortestPaths(fiveRouters, links);
        for (const from of fiveRouters) {
          for (const to of fiveRouters.filter((router) => router !== from)) {
            const all = simplePaths(links, from, to).sort((one, other) => (one.weight < other.weight ? -1 : 1));
            expect(paths.between(from, to)).toEqual(all[0]?.path ?? []);
            const first = paths.firstLink(from, to);
            if (first === undefined) continue;
            expect([links[first]!.from, links[first]!.to].sort()).toEqual([from, all[0]!.path[1]].sort());
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
