import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packRoutes, unpackRoutes } from '../../src/model/packed-routes.ts';
import type { Route, RouteNexthop } from '../../src/model/route.ts';
import { routerNames } from '../../src/model/router.ts';
import { type Instance, type InstanceLink, type LinkEnd, planInstance } from '../../src/planning/instance.ts';
import { computeRoutes, infrastructureRoutes } from '../../src/planning/routes.ts';
import { translatePacked, translateRoutes } from '../../src/planning/translate.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { arbitrarySlice, gallery } from '../support/slices.ts';

const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const from = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const to = planInstance(slice, vn, vn.placements.get('final')!, 1);
const [ab, , ac, ga] = from.links as [Instance['links'][0], unknown, Instance['links'][0], Instance['links'][0]];

/** A route that somebody added to router a by hand. */
function byHand(rest: Partial<Route>): Route {
  return {
    prefix: '10.65.200.0/24',
    type: 'unicast',
    nexthops: [{ interface: ab.a.interface, via: ab.b.address, weight: 1 }],
    protocol: 'boot',
    ...rest,
  };
}

function refusal(route: Route): string {
  try {
    translateRoutes('a', [route], from, to);
  } catch (error) {
    return (error as Error).message;
  }
  return 'translated';
}

const entriesOf = (route: Route) => Object.entries(route).toSorted(([a], [b]) => (a < b ? -1 : 1));

/** Undefined for a conflict. */
function attempt<T>(translate: () => T): T | undefined {
  try {
    return translate();
  } catch (error) {
    expect(error).toMatchObject({ code: 'conflict' });
    return undefined;
  }
}

describe('translateRoutes', () => {
  test('a route added by hand gets the next hop and interface of the same virtual link', () => {
    const [translated] = translateRoutes('a', [byHand({ metric: 7, source: ga.b.address })], from, to);
    expect(translated).toEqual({
      prefix: '10.65.200.0/24',
      type: 'unicast',
      nexthops: [{ interface: to.links[0]!.a.interface, via: to.links[0]!.b.address, weight: 1 }],
      protocol: 'boot',
      metric: 7,
      source: to.links[3]!.b.address,
    });
  });

  test('routes with several or no next hops, and routes on a link, keep their form', () => {
    const nexthops = [
      { interface: ab.a.interface, via: ab.b.address, weight: 3 },
      { interface: ac.a.interface, weight: 1 },
    ];
    const routes = [byHand({ nexthops }), byHand({ prefix: '10.65.9.0/24', type: 'blackhole', nexthops: [] })];
    const translated = translateRoutes('a', routes, from, to);
    expect(translated[0]!.nexthops).toEqual([
      { interface: to.links[0]!.a.interface, via: to.links[0]!.b.address, weight: 3 },
      { interface: to.links[2]!.a.interface, weight: 1 },
    ]);
    expect(translated[1]).toEqual(routes[1]);
  });

  test('translateRoutes omits the routes that belong to the instance', () => {
    const own = byHand({ prefix: `${ac.b.address}/32` });
    const kernel = byHand({ protocol: 'kernel' });
    expect(translateRoutes('a', [own, kernel], from, to)).toEqual([]);
  });

  test('translateRoutes refuses a route without a counterpart, and says why', () => {
    expect(refusal(byHand({ nexthops: [{ interface: 'eth0', weight: 1 }] }))).toBe(
      "router 'a' has a route to 10.65.200.0/24 that cannot be cloned: it leaves by 'eth0', which is not a link of the VN",
    );
    expect(refusal(byHand({ nexthops: [{ interface: ab.a.interface, via: '10.65.1.1', weight: 1 }] }))).toBe(
      `router 'a' has a route to 10.65.200.0/24 that cannot be cloned: it goes via 10.65.1.1, but the neighbour is ${ab.b.address}`,
    );
    expect(refusal(byHand({ source: '10.65.1.1' }))).toBe(
      "router 'a' has a route to 10.65.200.0/24 that cannot be cloned: it has source 10.65.1.1, which is not an address of the router",
    );
    expect(refusal(byHand({ nexthops: [], nexthopId: 9 }))).toBe(
      "router 'a' has a route to 10.65.200.0/24 that cannot be cloned: it uses nexthop object 9",
    );
  });

  test('cloned computed routes equal the routes computed for the new instance, in both directions', () => {
    fc.assert(
      fc.property(arbitrarySlice, (random) => {
        const net = random.vns[0]!;
        const old = planInstance(random, net, net.placements.get('initial')!, 3);
        const fresh = planInstance(random, net, net.placements.get('final')!, 0);
        const access = planVn(random, net).access;
        const before = computeRoutes(net, old, access);
        const after = computeRoutes(net, fresh, access);
        const own = infrastructureRoutes(net, fresh);
        for (const router of routerNames(net)) {
          const there = [...translateRoutes(router, before.get(router)!, old, fresh), ...own.get(router)!];
          expect(there).toEqual(after.get(router));
          const back = translateRoutes(router, there, fresh, old);
          expect(back).toEqual(translateRoutes(router, before.get(router)!, old, old));
        }
      }),
    );
  });

  test('packed routes are translated as each of them is', () => {
    const ways = [
      [{ interface: ab.a.interface, via: ab.b.address, weight: 1 }],
      [
        { interface: ab.a.interface, via: ab.b.address, weight: 3 },
        { interface: ac.a.interface, weight: 1 },
      ],
      [{ interface: 'eth0', weight: 1 }],
      [{ interface: ab.a.interface, via: '10.65.1.1', weight: 1 }],
    ];
    const anyRoute = fc.record({
      prefix: fc.constantFrom('0.0.0.0/0', '10.65.200.0/24', '10.65.201.0/24', `${ac.b.address}/32`),
      // Those that no instance can have are rare.
      nexthops: fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...ways.slice(0, 2)) }, fc.constantFrom(...ways)),
      protocol: fc.constantFrom('boot', 'kernel', '246'),
      rest: fc.constantFrom({}, { metric: 7 }, { source: ga.b.address }, { metric: 7, source: ac.a.address }),
    });
    const sorted = (routes: readonly Route[]) => routes.map((route) => JSON.stringify(entriesOf(route))).toSorted();
    let translated = 0;
    fc.assert(
      fc.property(fc.array(anyRoute, { maxLength: 20 }), (list) => {
        const routes = list.map(({ rest, ...route }) => byHand({ ...route, ...rest }));
        const each = attempt(() => translateRoutes('a', routes, from, to));
        const packed = attempt(() => unpackRoutes(translatePacked('a', packRoutes(routes), from, to)));
        expect(packed === undefined).toBe(each === undefined);
        if (each === undefined) return;
        expect(sorted(packed!)).toEqual(sorted(each));
        translated += each.length;
      }),
    );
    expect(translated).toBeGreaterThan(0);
  });

  test('computed routes lead from every router to every end host without a loop', () => {
    fc.assert(
      fc.property(arbitrarySlice, (random) => {
        const net = random.vns[0]!;
        const instance = planInstance(random, net, net.placements.get('initial')!, 0);
        const access = planVn(random, net).access;
        const routes = computeRoutes(net, instance, access);
        for (const { prefix, gateway } of access) {
          for (const start of routerNames(net)) {
            let at: string | undefined = start;
            for (let hops = 0; at !== undefined && hops <= net.routers.length; hops += 1) {
              const nexthop: RouteNexthop = routes.get(at)!.find((route) => route.prefix === prefix)!.nexthops[0]!;
              const link: InstanceLink = instance.links.find((l) =>
                [l.a.interface, l.b.interface].includes(nexthop.interface),
              )!;
              const peer: LinkEnd = link.a.interface === nexthop.interface ? link.b : link.a;
              expect(peer.address).toBe(nexthop.via);
              if (peer.gateway !== undefined) expect(peer.gateway).toBe(gateway);
              at = peer.router;
            }
            expect(at).toBeUndefined();
          }
        }
      }),
    );
  });
});
