import { describe, expect, it } from 'vitest';
import type { Step } from '../../src/agent/dataplane/planner/commands.ts';
import { planOperations } from '../../src/agent/dataplane/planner/plan.ts';
import { type KernelState, ownStack } from '../../src/agent/dataplane/planner/state.ts';
import { routeOperations } from '../../src/controller/batches/operations.ts';
import { packRoutes, unpackRoutes } from '../../src/model/packed-routes.ts';
import type { Route } from '../../src/model/route.ts';
import { type Operation, operationSchema } from '../../src/vsys/operations.ts';
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

function plan(operations: readonly Operation[], from: KernelState = state, routes = 100) {
  return planOperations(from, operations, testPolicy('x_', { routes }));
}

/** The lines that a step stands for. */
function linesOf(step: Step): string[] {
  if (!('ip' in step)) return [];
  const words = 'each' in step ? step.each.map((word) => [...step.ip, word]) : [step.ip];
  return words.map((some) => `${some.join(' ')}${step.rest ?? ''}`);
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

  it('a thousand new entries are one command that does and undoes what one for each does', () => {
    const routes = Array.from({ length: 1000 }, (_, index) =>
      route(0, { prefix: `10.66.${index >> 8}.${index & 255}/32` }),
    );
    const before = plan([one('add', routes[3]!), one('add', { ...routes[5]!, type: 'blackhole', nexthops: [] })]).state;
    const each = plan(
      routes.map((some) => one('add', some)),
      before,
      1000,
    );
    const [operation] = parsed('add', routes);
    const twice = { ...operation, prefixes: `${routes.map(({ prefix }) => prefix).join(' ')} ${routes[0]!.prefix}` };
    const together = plan([operationSchema.parse(twice)], before, 1000);
    expect(together.commands).toHaveLength(2);
    const sorted = (steps: readonly Step[]) => steps.flatMap(linesOf).toSorted();
    expect(sorted(together.commands.map((command) => command.do))).toEqual(
      sorted(each.commands.map((command) => command.do)),
    );
    expect(sorted(together.commands.flatMap(({ undo }) => undo))).toEqual(
      sorted(each.commands.flatMap(({ undo }) => undo)),
    );
    const tableOf = (from: KernelState) => new Map(from.stacks.get(namespace)!.routes);
    expect(tableOf(together.state)).toEqual(tableOf(each.state));
    expect(() => plan([operationSchema.parse(twice)], before, 999)).toThrow('at most 999 routes');
  });

  it('the limit of routes holds for each of them', () => {
    const many = Array.from({ length: 101 }, (_, index) => route(index));
    expect(() => plan(parsed('add', many))).toThrow('100');
  });
});
