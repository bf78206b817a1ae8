/** Cloning a router from its record. */
import { describe, expect, it } from 'vitest';
import { translateRecorded } from '../../src/controller/routing/translated.ts';
import type { Route } from '../../src/model/route.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const access = planVn(slice, vn).access;
const from = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const to = planInstance(slice, vn, vn.placements.get('final')!, 1);
const own = computeRoutes(vn, from, access).get('a')!;
const wanted = computeRoutes(vn, to, access).get('a')!;
const over = (link: (typeof from.links)[number]) => [{ interface: link.a.interface, via: link.b.address, weight: 1 }];
const byHand = (prefix: string, nexthops: Route['nexthops']): Route => ({
  prefix,
  type: 'unicast',
  nexthops,
  protocol: 'boot',
});

describe('translateRecorded', () => {
  it('translateRecorded returns the routes of a fresh installation if no route was added', () => {
    expect(translateRecorded(vn, 'a', { own, added: [] }, from, to)).toEqual({ routes: wanted, left: [] });
  });

  it('translateRecorded includes added routes, except those that no new router can have', () => {
    const good = byHand('10.65.200.0/24', over(from.links[0]!));
    const bad = byHand('10.65.201.0/24', [{ interface: 'eth9', weight: 1 }]);
    const { routes, left } = translateRecorded(vn, 'a', { own, added: [bad, good] }, from, to);
    const translated = byHand('10.65.200.0/24', over(to.links[0]!));
    expect(routes).toHaveLength(wanted.length + 1);
    expect(routes).toEqual(expect.arrayContaining([...wanted, translated]));
    expect(left.map(({ message }) => message)).toEqual([
      "router 'a' has a route to 10.65.201.0/24 that cannot be cloned: it leaves by 'eth9', which is not a link of the VN",
    ]);
  });
});
