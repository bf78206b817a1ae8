/** When the tables of new routers count as those of the old ones. */
import { expect, it } from 'vitest';
import { differencesBetween } from '../../src/controller/routing/converge.ts';
import type { Route } from '../../src/model/route.ts';

const way = (name: string, weight = 1) => ({ interface: name, via: `10.64.0.${name.length}`, weight });
const route = (prefix: string, ...nexthops: Route['nexthops']): Route => ({
  prefix,
  type: 'unicast',
  nexthops,
  protocol: 'bird',
  metric: 32,
});
const tables = (...routes: Route[]) => new Map([['a', routes]]);

it('tables are the same in any order, also of next hops of equal weight', () => {
  const [one, two] = [route('10.64.0.0/31', way('l0'), way('l1a')), route('10.64.0.2/31', way('l0'))];
  const other = route('10.64.0.0/31', way('l1a', 3), way('l0', 3));
  expect(differencesBetween(tables(one, two), tables(two, other))).toEqual([]);
});

it('a route that is missing, additional or leads elsewhere is a difference of its router', () => {
  const wanted = tables(route('10.64.0.0/31', way('l0')), route('10.64.0.2/31', way('l0')));
  const found = tables(route('10.64.0.0/31', way('l1a')), route('10.64.0.4/31', way('l0')));
  expect(differencesBetween(wanted, found)).toEqual([
    "router a lacks 10.64.0.0/31 via 10.64.0.2 over 'l0'",
    "router a lacks 10.64.0.2/31 via 10.64.0.2 over 'l0'",
    "router a also has 10.64.0.0/31 via 10.64.0.3 over 'l1a'",
    "router a also has 10.64.0.4/31 via 10.64.0.2 over 'l0'",
  ]);
});

it('unequal weights count', () => {
  const [even, uneven] = [
    route('10.64.0.0/31', way('l0'), way('l1a')),
    route('10.64.0.0/31', way('l0', 2), way('l1a')),
  ];
  expect(differencesBetween(tables(even), tables(uneven))).toHaveLength(2);
});

it('a router without any route lacks all of them', () => {
  expect(differencesBetween(tables(route('10.64.0.0/31', way('l0'))), new Map())).toHaveLength(1);
});

it('the origin of a route counts only if it is a daemon', () => {
  const added = route('10.64.9.0/24', way('l0'));
  expect(differencesBetween(tables({ ...added, protocol: 'boot' }), tables({ ...added, protocol: 'static' }))).toEqual(
    [],
  );
  expect(
    differencesBetween(tables({ ...added, protocol: 'boot' }), tables({ ...added, protocol: 'ospf' })),
  ).toHaveLength(2);
});
