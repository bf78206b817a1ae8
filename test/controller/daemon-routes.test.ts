/** The routing state of routers with a routing daemon. */
import { expect, test } from 'vitest';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { sourceOf } from '../../src/controller/routing/sources.ts';
import { readTranslated } from '../../src/controller/routing/translated.ts';
import type { DaemonKind } from '../../src/model/daemon.ts';
import type { Route } from '../../src/model/route.ts';
import { routerNames } from '../../src/model/router.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { livingSlice } from '../support/living-slice.ts';

const slice = livingSlice(['bird', 'frr', 'bird', 'frr'], 'ospf');
const vn = slice.vns[0]!;
const from = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const to = planInstance(slice, vn, vn.placements.get('final')!, 1);

/** What a router of this kind has: routes of its daemon, the kernel's, and some by hand over its first link. */
function routesOf(name: string, protocols: readonly string[]): Route[] {
  const link = from.links.find(({ a, b }) => a.router === name || b.router === name)!;
  const [own, peer] = link.a.router === name ? [link.a, link.b] : [link.b, link.a];
  const over = (prefix: string, protocol: string, metric?: number): Route => ({
    prefix,
    type: 'unicast',
    nexthops: [{ interface: own.interface, via: peer.address, weight: 1 }],
    protocol,
    ...(metric === undefined ? {} : { metric }),
  });
  return [
    ...protocols.map((protocol, index) => over(`10.65.${index}.0/24`, protocol, 20)),
    {
      ...over(`${link.a.address}/31`, 'kernel'),
      nexthops: [{ interface: own.interface, weight: 1 }],
      source: own.address,
    },
    over('10.65.100.0/24', 'boot'),
    over('10.65.101.0/24', 'static', 7),
  ];
}

const daemons: Readonly<Record<DaemonKind, readonly string[]>> = {
  bird: ['bird'],
  frr: ['zebra', 'ospf', 'bgp', 'zstatic'],
};

/** Agents that answer with these routes. */
const agents = {
  namespacePrefix: () => 'x-',
  givenUp: new Set<string>(),
  get: () => ({
    call: async (_: string, { namespace }: { namespace: string }) => {
      const name = namespace.replace(/^x-0-/, '');
      const { kind } = vn.routers.find((router) => router.name === name)!;
      return { routes: routesOf(name, daemons[kind as DaemonKind]) };
    },
  }),
} as unknown as Agents;

test.each(routerNames(vn))('of router %s only what was added by hand is read', async (router) => {
  const routes = await sourceOf(vn, router).read(agents, from, router);
  expect(routes.map(({ prefix, protocol }) => [prefix, protocol])).toEqual([
    ['10.65.100.0/24', 'boot'],
    ['10.65.101.0/24', 'static'],
  ]);
});

test("a route of another kind's daemon is somebody's own", () => {
  const [ofBird, ofFrr] = ['a', 'b-x'].map((router) => sourceOf(vn, router));
  const route = (protocol: string) => routesOf('a', [protocol])[0]!;
  expect(['bird', 'ospf', 'zstatic', 'boot', 'vnm'].map((protocol) => ofBird!.isOwn(route(protocol)))).toEqual([
    ...[false, true, true, true, true],
  ]);
  expect(['bird', 'ospf', 'zstatic', 'boot', 'vnm'].map((protocol) => ofFrr!.isOwn(route(protocol)))).toEqual([
    ...[true, false, false, true, true],
  ]);
});

test('a new instance gets what was added by hand, translated, and no computed route', async () => {
  const state = await readTranslated(agents, vn, from, to);
  expect([...state.keys()]).toEqual(routerNames(vn));
  for (const [router, routes] of state) {
    const link = to.links.find(({ a, b }) => a.router === router || b.router === router)!;
    const [own, peer] = link.a.router === router ? [link.a, link.b] : [link.b, link.a];
    const nexthops = [{ interface: own.interface, via: peer.address, weight: 1 }];
    expect(routes).toEqual([
      { prefix: '10.65.100.0/24', type: 'unicast', nexthops, protocol: 'boot' },
      { prefix: '10.65.101.0/24', type: 'unicast', nexthops, protocol: 'static', metric: 7 },
    ]);
  }
});

test('routes that were added by hand are put as with static routers', async () => {
  const routes = await sourceOf(vn, 'a').read(agents, from, 'a');
  const batches = sourceOf(vn, 'a').put(from, 'a', [], routes, agents);
  expect([...batches.values()].flat()).toMatchObject([
    { op: 'vroute', action: 'add', namespace: 'x-0-a', prefix: '10.65.100.0/24' },
    { op: 'vroute', action: 'add', namespace: 'x-0-a', prefix: '10.65.101.0/24', metric: 7 },
  ]);
});
