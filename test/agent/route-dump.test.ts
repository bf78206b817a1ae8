/** What `ip route save` writes, made here byte by byte. `saved-routes.test.ts` compares with a real kernel. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { digestOf, isDump, packedRoutesIn, routesIn } from '../../src/agent/dataplane/kernel/route-dump.ts';
import { toRoutes } from '../../src/agent/dataplane/planner/inventory.ts';
import { type KernelRoute, routeKey } from '../../src/agent/dataplane/planner/state.ts';
import { formatPrefix, maskTo } from '../../src/model/address.ts';
import { unpackRoutes } from '../../src/model/packed-routes.ts';
import type { Route, RouteNexthop } from '../../src/model/route.ts';
import { dumpOf, message } from '../support/route-dump.ts';

const names = ['lo', 'pv001-l0a', 'pv001-l1a'];
const interfaces = new Map(names.map((name, index) => [index + 1, name]));
const index = (name: string) => names.indexOf(name) + 1;
const bytes = (route: KernelRoute) => message(route, index);

const route: KernelRoute = {
  prefix: '10.65.9.0/24',
  type: 'unicast',
  nexthops: [{ interface: 'pv001-l0a', via: '10.64.0.1', weight: 1 }],
  protocol: 246,
  table: 254,
  onlink: true,
};

const prefixes = fc
  .tuple(fc.nat(0xffffffff), fc.nat(32))
  .map(([base, length]) => formatPrefix({ base: maskTo(base, length), length }));
const addresses = fc.nat(0xffffffff).map((base) => formatPrefix({ base, length: 32 }).replace('/32', ''));
const hops = (most: number): fc.Arbitrary<RouteNexthop[]> =>
  fc
    .array(
      fc
        .record(
          { interface: fc.constantFrom(...names), via: addresses, weight: fc.integer({ min: 1, max: 256 }) },
          { requiredKeys: ['interface', 'weight'] },
        )
        .map(({ via, ...rest }) => ({ ...rest, ...(via === undefined ? {} : { via }) })),
      { minLength: 1, maxLength: most },
    )
    .map((some) => (some.length === 1 ? [{ ...some[0]!, weight: 1 }] : some));
const commons: fc.Arbitrary<Omit<KernelRoute, 'prefix'>> = fc
  .tuple(
    fc.oneof(
      hops(3).map((nexthops) => ({ type: 'unicast' as const, nexthops })),
      fc.constantFrom('blackhole', 'unreachable', 'prohibit').map((type) => ({ type, nexthops: [], onlink: false })),
    ),
    fc.record({ protocol: fc.nat(255), table: fc.constantFrom(254, 255, 50_001), onlink: fc.boolean() }),
    fc.record({ metric: fc.integer({ min: 1, max: 0xffffffff }), source: addresses }, { requiredKeys: [] }),
  )
  .map(([kind, rest, some]) => ({ ...rest, ...kind, ...JSON.parse(JSON.stringify(some)) }) as KernelRoute);
/** As in a large table: few forms, many prefixes, each prefix and metric once. */
const tables = fc
  .tuple(fc.array(commons, { minLength: 1, maxLength: 4 }), fc.array(fc.tuple(prefixes, fc.nat(3)), { maxLength: 40 }))
  .map(([forms, list]) => list.map(([prefix, form]): KernelRoute => ({ ...forms[form % forms.length]!, prefix })))
  .map((list) => [...new Map(list.map((one) => [routeKey(one), one])).values()]);

it('routesIn returns the entries that were written, in their order', () => {
  fc.assert(
    fc.property(tables, (list) => {
      expect([...routesIn(dumpOf(list.map(bytes)), interfaces).values()]).toEqual(list);
    }),
  );
});

it('packedRoutesIn returns the same entries of the main table', () => {
  fc.assert(
    fc.property(tables, (list) => {
      const unpacked = unpackRoutes(packedRoutesIn(dumpOf(list.map(bytes)), interfaces));
      const main = toRoutes(list.filter(({ table }) => table === 254));
      expect(unpacked).toHaveLength(main.length);
      expect(new Set(unpacked.map(textOf))).toEqual(new Set(main.map(textOf)));
    }),
  );
});

function textOf({ nexthops, ...rest }: Route): string {
  const hops = nexthops.map(({ interface: name, via, weight }) => [name, via, weight]);
  return JSON.stringify([hops, Object.entries(rest).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

it('packedRoutesIn packs 1000 routes that differ in nothing but their prefix into one', () => {
  const many = Array.from({ length: 1000 }, (_, at) => ({ ...route, prefix: `10.66.${at >> 8}.${at & 255}/32` }));
  const [packed, ...others] = packedRoutesIn(dumpOf(many.map(bytes)), interfaces);
  expect(others).toEqual([]);
  expect(packed!.prefixes.split(' ')).toEqual(many.map(({ prefix }) => prefix));
});

it('of several entries for one prefix and metric the one that the kernel uses stays the first', () => {
  const other = { ...route, nexthops: [{ interface: 'pv001-l1a', weight: 1 }], onlink: false };
  const before = { ...other, prefix: '10.65.8.0/24' };
  const dump = dumpOf([before, route, other].map(bytes));
  const found = unpackRoutes(packedRoutesIn(dump, interfaces)).filter(({ prefix }) => prefix === route.prefix);
  expect(found.map(({ nexthops }) => nexthops[0]!.interface)).toEqual(['pv001-l0a', 'pv001-l1a']);
  expect([...routesIn(dump, interfaces).keys()].at(-1)).toBe(`${routeKey(route)} again`);
});

it('entries that deliver packets to the node itself, and those of IPv6, are left out', () => {
  const local = message(route, index, { typeNumber: 2 });
  const ipv6 = message(route, index, { family: 10 });
  expect(routesIn(dumpOf([local, ipv6]), interfaces).size).toBe(0);
});

it('an interface that is not known is named as ip names it', () => {
  const [found] = routesIn(dumpOf([message(route, () => 77)]), interfaces).values();
  expect(found!.nexthops[0]!.interface).toBe('if77');
});

it('the digest is the same for another dump of the same entries, and another one for other entries', () => {
  const dump = (one: KernelRoute, sequence: number) => dumpOf([message(one, index, { sequence })]);
  const digest = digestOf(dump(route, 1), interfaces);
  expect(digestOf(dump(route, 2), interfaces)).toBe(digest);
  for (const changed of [{ prefix: '10.65.9.0/25' }, { metric: 5 }, { protocol: 4 }, { onlink: false }])
    expect(digestOf(dump({ ...route, ...changed }, 1), interfaces)).not.toBe(digest);
  expect(digestOf(dump(route, 1), new Map([...interfaces, [2, 'renamed']]))).not.toBe(digest);
});

it('a dump that is cut off or followed by something else is refused', () => {
  const whole = dumpOf([bytes(route), bytes(route)], '');
  expect(isDump(whole)).toBe(true);
  expect(isDump(Buffer.from('[]\n'))).toBe(false);
  for (const dump of [
    whole.subarray(0, -1),
    whole.subarray(0, -20),
    whole.subarray(0, -59),
    dumpOf([bytes(route)], 'Error'),
  ])
    expect(() => routesIn(dump, interfaces)).toThrow(/ip route save: byte \d+ of \d+ begins no route/);
  expect(routesIn(dumpOf([]), interfaces).size).toBe(0);
});
