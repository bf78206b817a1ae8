import fc from 'fast-check';
import { expect, it } from 'vitest';
import { missingIn } from '../../src/controller/routing/static.ts';
import { filterPacked, missingInPacked, packRoutes, unpackRoutes } from '../../src/model/packed-routes.ts';
import type { Route } from '../../src/model/route.ts';

const way = { interface: 'l0a', via: '10.64.0.1', weight: 1 };
const forms: Omit<Route, 'prefix'>[] = [
  { type: 'unicast', nexthops: [way], protocol: 'static' },
  { type: 'unicast', nexthops: [way], protocol: '246' },
  { type: 'unicast', nexthops: [{ ...way, via: '10.64.0.3' }], protocol: 'static' },
  { type: 'unicast', nexthops: [way, { ...way, interface: 'l1a' }], protocol: 'static' },
  { type: 'unicast', nexthops: [way], protocol: 'static', metric: 5 },
  { type: 'unicast', nexthops: [way], protocol: 'static', source: '10.64.0.9' },
  { type: 'unicast', nexthops: [], nexthopId: 7, protocol: 'static' },
  { type: 'blackhole', nexthops: [], protocol: 'static' },
];
const tables = fc
  .array(fc.tuple(fc.nat(9), fc.constantFrom(...forms)), { maxLength: 30 })
  .map((list): Route[] => list.map(([number, form]) => ({ ...form, prefix: `10.65.${number}.0/24` })))
  .map((list) => [...new Map(list.map((route) => [`${route.prefix} ${route.metric}`, route])).values()]);

const inOrder = (routes: readonly Route[]) =>
  routes.toSorted((a, b) => (`${a.prefix} ${a.metric}` < `${b.prefix} ${b.metric}` ? -1 : 1));

it('packed routes miss what the routes miss', () => {
  fc.assert(
    fc.property(tables, tables, (some, others) => {
      const missing = missingInPacked(packRoutes(some), packRoutes(others));
      expect(inOrder(unpackRoutes(missing))).toEqual(inOrder(missingIn(some, others)));
      expect(missingInPacked(packRoutes(others), packRoutes(others))).toEqual([]);
    }),
  );
});

it('filtered packed routes are the packed filtered routes', () => {
  const isWanted = (prefix: string) => !prefix.startsWith('10.65.3');
  fc.assert(
    fc.property(tables, (routes) => {
      const filtered = unpackRoutes(filterPacked(packRoutes(routes), isWanted));
      expect(inOrder(filtered)).toEqual(inOrder(routes.filter(({ prefix }) => isWanted(prefix))));
    }),
  );
});

it('of routes with one prefix and metric the first stays the first', () => {
  const [one, , other] = forms.map((form) => ({ ...form, prefix: '10.65.1.0/24' }));
  const before = { ...other!, prefix: '10.65.0.0/24' };
  const unpacked = unpackRoutes(packRoutes([before, one!, other!]));
  expect(unpacked).toEqual([before, one, other]);
});
