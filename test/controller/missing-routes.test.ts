/** The difference of two routing tables, which decides what a router gets and loses. */
import { expect, it } from 'vitest';
import { missingIn } from '../../src/controller/routing/static.ts';
import type { Route } from '../../src/model/route.ts';

const way = { interface: 'l0a', via: '10.64.0.1', weight: 1 };
const route: Route = { prefix: '10.64.0.0/31', type: 'unicast', nexthops: [way], protocol: 'vnm' };

it.each([
  ['prefix', { prefix: '10.64.0.2/31' }],
  ['type', { type: 'blackhole' as const, nexthops: [] }],
  ['next hop', { nexthops: [{ ...way, via: '10.64.0.3' }] }],
  ['interface', { nexthops: [{ ...way, interface: 'l1a' }] }],
  ['weight', { nexthops: [{ ...way, weight: 2 }] }],
  ['second next hop', { nexthops: [way, { ...way, interface: 'l1a' }] }],
  ['metric', { metric: 5 }],
  ['source', { source: '10.64.0.9' }],
  ['protocol', { protocol: 'static' }],
  ['nexthop object', { nexthopId: 7, nexthops: [] }],
])('a route with another %s is missing', (_, change) => {
  const other = { ...route, ...change };
  expect(missingIn([route], [other])).toEqual([other]);
  expect(missingIn([route, other], [other, { ...route }])).toEqual([]);
});

it('tables of 100,000 routes are compared in linear time', () => {
  const table = Array.from({ length: 100_000 }, (_, index) => ({
    ...route,
    prefix: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32`,
  }));
  expect(missingIn(table, [...table.toReversed(), { ...route, metric: 9 }])).toEqual([{ ...route, metric: 9 }]);
});
