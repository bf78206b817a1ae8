/** In which groups the routers of a VN move: against a naive search, for any graph and any two placements. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import type { RouterName } from '../../src/model/names.ts';
import type { Placement, Slice, VirtualNetwork } from '../../src/model/slice.ts';
import { type Instance, moveRouter, planInstance } from '../../src/planning/instance.ts';
import { afterMoves, groupMoves, neighbourhoodOf, type RouterMove } from '../../src/planning/neighbourhood.ts';
import { parseSlice } from '../../src/slicefile/index.ts';

const edgeNodes = ['gw1', 'gw2', 'h1', 'h2'];
const routerNodes = ['n1', 'n2', 'n3', 'n4', 'n5'];
const names = ['a', 'b', 'c', 'd', 'e'];

interface Case {
  readonly slice: Slice;
  readonly vn: VirtualNetwork;
  readonly instance: Instance;
  readonly goal: Placement;
}

/** A VN with these links; a gateway at the first router, and one at the second. */
function caseOf(
  routers: readonly string[],
  links: readonly (readonly string[])[],
  from: Placement,
  goal: Placement,
): Case {
  const nodes = [...routerNodes, ...edgeNodes].map((name, index) => `${name}: { host: 192.0.2.${index + 1} }`);
  const place = (placement: Placement) => [...placement].map(([router, node]) => `${router}: ${node}`).join(', ');
  const slice = parseSlice(
    `
slice: any
vnet: 10.64.0.0/16
substrate: { nodes: { ${nodes.join(', ')} }, latency: { default: 1 } }
vn:
  name: any
  routers: [${routers.join(', ')}]
  links: [${links.map((link) => `[${link.join(', ')}]`).join(', ')}]
  gateways: { g1: { node: gw1, router: ${routers[0]} }, g2: { node: gw2, router: ${routers[1]} } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
placements: { initial: { ${place(from)} }, final: { ${place(goal)} } }
`,
    'any.yaml',
  );
  const vn = slice.vns[0]!;
  return { slice, vn, instance: planInstance(slice, vn, from, 0), goal };
}

/** From a path through all routers with some links more; routers may share nodes, also with gateways. */
const anyCase: fc.Arbitrary<Case> = fc.integer({ min: 2, max: names.length }).chain((count) => {
  const routers = names.slice(0, count);
  const path = routers.slice(1).map((router, index) => [routers[index]!, router]);
  const others = routers.flatMap((one, index) => routers.slice(index + 2).map((other) => [one, other]));
  const node = fc.constantFrom(...routerNodes, 'gw1');
  const placement = fc
    .tuple(...routers.map(() => node))
    .map((nodes): Placement => new Map(routers.map((router, index) => [router, nodes[index]!])));
  return fc
    .tuple(fc.subarray(others), placement, placement)
    .map(([more, from, goal]) => caseOf(routers, [...path, ...more], from, goal));
});

const kindsOf = ({ links }: Instance) => links.map(({ tunnel }) => tunnel);

/** Whether no link changes its kind when the router moves. */
function isPossible(instance: Instance, { router, to }: RouterMove): boolean {
  return kindsOf(instance).join() === kindsOf(moveRouter(instance, router, to)).join();
}

/** Whether all these moves are possible one after the other, in this order. */
function isOrder(instance: Instance, moves: readonly RouterMove[]): boolean {
  return moves.every((move, index) => isPossible(afterMoves(instance, moves.slice(0, index)), move));
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

function movesTo(from: Placement, goal: Placement): RouterMove[] {
  return [...from].flatMap(([router, node]) => {
    const to = goal.get(router)!;
    return to === node ? [] : [{ router, from: node, to }];
  });
}

function groupsOrRefusal({ vn, instance, goal }: Case, atMost?: number): RouterMove[][] | VnmError {
  try {
    return groupMoves(vn, instance, goal, atMost);
  } catch (error) {
    if (error instanceof VnmError) return error;
    throw error;
  }
}

const areJoined = ({ links }: VirtualNetwork, one: RouterName, other: RouterName) =>
  links.some(({ from, to }) => [from, to].includes(one) && [from, to].includes(other));

describe('groupMoves', () => {
  it('every router that differs moves once, from its node to its new one', () => {
    fc.assert(
      fc.property(anyCase, fc.integer({ min: 1, max: 5 }), (one, atMost) => {
        const groups = groupsOrRefusal(one, atMost);
        if (groups instanceof VnmError) return;
        const byName = (a: RouterMove, b: RouterMove) => a.router.localeCompare(b.router);
        expect(groups.flat().toSorted(byName)).toEqual(movesTo(one.instance.placement, one.goal));
      }),
    );
  });

  it('a group has at most as many routers as wanted, and no two of them are neighbours', () => {
    fc.assert(
      fc.property(anyCase, fc.integer({ min: 1, max: 5 }), (one, atMost) => {
        const groups = groupsOrRefusal(one, atMost);
        if (groups instanceof VnmError) return;
        for (const group of groups) {
          expect(group.length).toBeGreaterThan(0);
          expect(group.length).toBeLessThanOrEqual(atMost);
          const pairs = group.flatMap((move, index) => group.slice(index + 1).map((other) => [move, other] as const));
          for (const [move, other] of pairs) expect(areJoined(one.vn, move.router, other.router)).toBe(false);
        }
      }),
    );
  });

  it('whatever the order within a group, no link changes its kind', () => {
    fc.assert(
      fc.property(anyCase, fc.integer({ min: 1, max: 5 }), (one, atMost) => {
        const groups = groupsOrRefusal(one, atMost);
        if (groups instanceof VnmError) return;
        groups.forEach((group, index) => {
          const before = afterMoves(one.instance, groups.slice(0, index).flat());
          for (const order of permutations(group)) expect(isOrder(before, order)).toBe(true);
        });
      }),
    );
  });

  it('moves are refused only if they are possible in no order at all', () => {
    let refused = 0;
    fc.assert(
      fc.property(anyCase, fc.integer({ min: 1, max: 5 }), (one, atMost) => {
        const orders = permutations(movesTo(one.instance.placement, one.goal));
        const isRefused = groupsOrRefusal(one, atMost) instanceof VnmError;
        if (isRefused) refused += 1;
        expect(isRefused).toBe(!orders.some((order) => isOrder(one.instance, order)));
      }),
    );
    expect(refused).toBeGreaterThan(0);
  });

  const at = (...nodes: string[]): Placement => new Map(nodes.map((node, index) => [names[index]!, node]));
  const routersOf = (groups: RouterMove[][]) => groups.map((group) => group.map(({ router }) => router).join(' '));
  const line = [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'd'],
    ['d', 'e'],
  ];

  it.each([
    [1, ['a', 'b', 'c', 'd', 'e']],
    [2, ['a c', 'b d', 'e']],
    [3, ['a c e', 'b d']],
  ])('with at most %i at once, a line of five routers moves in groups', (atMost, groups) => {
    const one = caseOf(names, line, at('n1', 'n2', 'n3', 'n4', 'gw1'), at('n5', 'n5', 'n5', 'n5', 'n5'));
    expect(groupsOrRefusal(one, atMost)).toMatchObject({ code: 'unsupported' });
    const apart = caseOf(names, line, at('n1', 'n2', 'n1', 'n2', 'n1'), at('n3', 'n4', 'n3', 'n4', 'n3'));
    expect(routersOf(groupMoves(apart.vn, apart.instance, apart.goal, atMost))).toEqual(groups);
  });

  it('routers that are no neighbours may swap their nodes at the same time', () => {
    const one = caseOf(['a', 'b', 'c'], line.slice(0, 2), at('n1', 'n2', 'n3'), at('n3', 'n2', 'n1'));
    expect(routersOf(groupMoves(one.vn, one.instance, one.goal, 2))).toEqual(['a c']);
  });

  it('a router whose new node has a neighbour waits for it, while others move', () => {
    const one = caseOf(['a', 'b', 'c', 'd'], line.slice(0, 3), at('n1', 'n2', 'n3', 'n4'), at('n2', 'n5', 'n3', 'n1'));
    expect(routersOf(groupMoves(one.vn, one.instance, one.goal, 4))).toEqual(['b d', 'a']);
  });
});

describe('neighbourhoodOf', () => {
  it('the neighbourhood of several routers has each neighbour and each link once, in the order of the VN', () => {
    const from: Placement = new Map(names.map((name) => [name, 'n1']));
    const links = [
      ['b', 'c'],
      ['a', 'b'],
      ['c', 'd'],
      ['d', 'e'],
    ];
    const { vn } = caseOf(names, links, from, from);
    const small = neighbourhoodOf(vn, ['c', 'a']);
    expect(small.routers).toEqual(['a', 'b', 'c', 'd'].map((name) => ({ name, kind: 'static', config: {} })));
    expect(small.links.map((link) => [link.from, link.to])).toEqual(links.slice(0, 3));
    expect(small.gateways.map(({ name }) => name)).toEqual(['g1']);
    expect(small).toMatchObject({ endHosts: [], flows: [] });
  });
});
