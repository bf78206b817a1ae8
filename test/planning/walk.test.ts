import { describe, expect, it } from 'vitest';
import type { Route } from '../../src/model/route.ts';
import { type Instance, type InstanceLink, planInstance } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { walkThrough } from '../../src/planning/walk.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const access = planVn(slice, vn).access;
const whole = computeRoutes(vn, instance, access);
const [ea, eb] = ['ea', 'eb'].map((name) => access.find(({ endHost }) => endHost === name)!);
const to = { gateway: eb!.gateway, address: eb!.hostEnd.address };
const walk = (routes: ReadonlyMap<string, readonly Route[]>) => walkThrough(instance, routes)(ea!.gateway, to);
const isTo = ({ prefix }: Route) => prefix === eb!.prefix;

describe('the entries of an instance', () => {
  it('the routes of an instance lead from every gateway to every end host behind another', () => {
    for (const from of access) {
      for (const { gateway, hostEnd } of access.filter((other) => other.gateway !== from.gateway)) {
        expect(walkThrough(instance, whole)(from.gateway, { gateway, address: hostEnd.address })).toBeUndefined();
      }
    }
  });

  it.each(['a', 'b'])('a walk ends at router %s if its route is missing', (router) => {
    const lost = new Map(whole).set(
      router,
      whole.get(router)!.filter((route) => !isTo(route)),
    );
    expect(walk(lost)).toEqual({ router, why: 'no route' });
    // A wider route to the address is enough.
    const wide = { ...whole.get(router)!.find(isTo)!, prefix: slice.vnet.length === 16 ? '0.0.0.0/0' : eb!.prefix };
    expect(walk(new Map(lost).set(router, [...lost.get(router)!, wide]))).toBeUndefined();
  });

  it('a walk finds a loop', () => {
    const back = instance.links.find(({ a, b }) => [a.router, b.router].sort().join() === 'a,b')!;
    const own = back.a.router === 'b' ? back.a : back.b;
    const peer = own === back.a ? back.b : back.a;
    const wrong: Route = {
      ...whole.get('b')!.find(isTo)!,
      nexthops: [{ interface: own.interface, via: peer.address, weight: 1 }],
    };
    expect(walk(new Map(whole).set('b', [wrong]))).toEqual({ router: 'a', why: 'a loop' });
  });

  it('a route that rejects packets is not a dead end', () => {
    const rejected: Route = { ...whole.get('b')!.find(isTo)!, type: 'prohibit', nexthops: [] };
    expect(walk(new Map(whole).set('b', [rejected]))).toBeUndefined();
  });
});

describe('walks through many entries', () => {
  /**
   * A ladder of routers: each has routes to the next two routers, and the last one to gateway `h`. Gateway `g` is at
   * the first router.
   */
  const rungs = 60;
  const end = (place: Partial<InstanceLink['a']>, index: number, side: string) => ({
    node: 'n',
    interface: `l${index}${side}`,
    address: `10.1.${index}.${side === 'a' ? 0 : 1}`,
    mac: '',
    ...place,
  });
  const link = (a: Partial<InstanceLink['a']>, b: Partial<InstanceLink['b']>, index: number): InstanceLink => ({
    kind: a.gateway === undefined ? 'virtual' : 'gateway',
    tunnel: 'local',
    vni: index,
    a: end(a, index, 'a'),
    b: end(b, index, 'b'),
  });
  const steps = Array.from({ length: rungs }, (_, rung) => [rung + 1, rung + 2].map((next) => [rung, next] as const))
    .flat()
    .filter(([, next]) => next <= rungs);
  const ladder: Instance = {
    slice: 's',
    vn: 'v',
    slot: 0,
    placement: new Map(),
    block: '10.1.0.0/16',
    nodeTunnel: 'vxlan',
    links: [
      ...steps.map(([rung, next], index) => link({ router: `r${rung}` }, { router: `r${next}` }, index)),
      link({ gateway: 'g' }, { router: 'r0' }, steps.length),
      link({ gateway: 'h' }, { router: `r${rungs}` }, steps.length + 1),
    ],
  };
  const prefix = '10.2.0.0/31';
  const hopsOf = (router: string) =>
    ladder.links.flatMap(({ a, b }) => {
      if (a.router === router) return [{ interface: a.interface, via: b.address, weight: 1 }];
      return a.gateway === 'h' && b.router === router ? [{ interface: b.interface, via: a.address, weight: 1 }] : [];
    });
  const routers = Array.from({ length: rungs + 1 }, (_, rung) => `r${rung}`);
  const towardsH = new Map(
    routers.map((router): [string, Route[]] => [
      router,
      [{ prefix, type: 'unicast', nexthops: hopsOf(router), protocol: '' }],
    ]),
  );
  const toH = { gateway: 'h', address: '10.2.0.1' };

  it('a walk visits each router once, however many ways lead through it', () => {
    expect(walkThrough(ladder, towardsH)('g', toH)).toBeUndefined();
    const broken = new Map(towardsH).set(`r${rungs}`, []);
    expect(walkThrough(ladder, broken)('g', toH)).toEqual({ router: `r${rungs}`, why: 'no route' });
  });

  it('walks read each route once, however many walks there are', () => {
    let reads = 0;
    const counted = ({ prefix: own, ...rest }: Route): Route => ({
      ...rest,
      get prefix() {
        reads += 1;
        return own;
      },
    });
    const through = walkThrough(
      ladder,
      new Map([...towardsH].map(([router, entries]) => [router, entries.map(counted)])),
    );
    for (let index = 0; index < 10; index += 1) expect(through('g', toH)).toBeUndefined();
    expect(reads).toBe(routers.length);
  });
});
