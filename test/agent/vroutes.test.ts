import { describe, expect, it } from 'vitest';
import { planOperations } from '../../src/agent/dataplane/planner/plan.ts';
import { type KernelState, ownStack } from '../../src/agent/dataplane/planner/state.ts';
import { routeOperations } from '../../src/controller/batches/operations.ts';
import type { Route } from '../../src/model/route.ts';
import { type Operation, operationSchema } from '../../src/vsys/operations.ts';
import { packRoutes, unpackRoutes } from '../../src/vsys/packed-routes.ts';
import { testPolicy } from '../support/agent-node.ts';

const namespace = 'pv-x_0-a';
const link = { name: 'pv001-l0a', kind: 'veth', up: true, mtu: 1500, hook: false, addresses: [], neighbours: [] };
const empty = { links: new Map(), routes: new Map(), settings: new Map() };
const state: KernelState = {
  stacks: new Map([
    [ownStack, empty],
    [namespace, { ...empty, links: new Map([[link.name, link]]) }],
  ]),
  nexthops: new Map(),
  rules: new Set(),
};

function route(index: number, more: Partial<Route> = {}): Route {
  const nexthops = [{ interface: link.name, via: '10.65.0.1', weight: 1 }];
  return { prefix: `10.65.${index}.0/24`, type: 'unicast', nexthops, protocol: 'static', ...more };
}

const alike = Array.from({ length: 20 }, (_, index) => route(index));
const others = [
  route(30, { metric: 5 }),
  route(31, { type: 'blackhole', nexthops: [] }),
  route(32, { source: '10.65.0.2' }),
  route(33, { nexthops: [{ interface: link.name, weight: 1 }] }),
];

function plan(operations: readonly Operation[], from: KernelState = state) {
  return planOperations(from, operations, testPolicy('x_', { routes: 100 }));
}

function one(action: 'add' | 'delete', { prefix, type, nexthops, metric, source }: Route): Operation {
  const given = { op: 'vroute', action, namespace, prefix, type, nexthops, metric, source };
  return operationSchema.parse(given);
}

const parsed = (action: 'add' | 'delete', routes: readonly Route[]) =>
  routeOperations(action, routes, namespace).map((operation) => operationSchema.parse(operation));

describe('many routes in one operation', () => {
  it('packed routes are the routes', () => {
    const routes = [...others, ...alike];
    expect(packRoutes(routes)).toHaveLength(5);
    expect(unpackRoutes(packRoutes(routes))).toEqual(routes);
  });

  it('only many alike become one operation', () => {
    const operations = parsed('add', [...alike, ...others]);
    expect(operations.map(({ op }) => op)).toEqual(['vroutes', 'vroute', 'vroute', 'vroute', 'vroute']);
  });

  it('one operation does, and undoes, what one for each route does', () => {
    const routes = [...alike, ...others];
    const each = plan(routes.map((some) => one('add', some)));
    const together = plan(parsed('add', routes));
    expect(together.commands).toEqual(each.commands);
    const removed = plan(parsed('delete', routes), together.state);
    expect(removed.commands).toEqual(
      plan(
        routes.map((some) => one('delete', some)),
        each.state,
      ).commands,
    );
    expect(removed.state.stacks.get(namespace)!.routes.size).toBe(0);
  });

  it('it is unchanged where all routes are there', () => {
    const { state: full } = plan(parsed('add', alike));
    expect(plan(parsed('add', alike), full).results).toEqual([{ op: 'vroutes', status: 'unchanged' }]);
  });

  it('the limit of routes holds for each of them', () => {
    const many = Array.from({ length: 101 }, (_, index) => route(index));
    expect(() => plan(parsed('add', many))).toThrow('100');
  });
});
