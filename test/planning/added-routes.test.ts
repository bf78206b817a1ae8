import { describe, expect, it } from 'vitest';
import type { Route } from '../../src/model/route.ts';
import { addedRoutes } from '../../src/planning/added-routes.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const own = computeRoutes(vn, instance, planVn(slice, vn).access).get('a')!;
const { a: near, b: far } = instance.links[0]!;
const byHand: Route = {
  prefix: '10.65.200.0/24',
  type: 'unicast',
  nexthops: [{ interface: near.interface, via: far.address, weight: 1 }],
  protocol: 'boot',
};

describe('addedRoutes', () => {
  it('addedRoutes returns the routes that the VN does not have, in their order', () => {
    const blackhole: Route = { prefix: '10.65.9.0/24', type: 'blackhole', nexthops: [], protocol: 'static' };
    const lower = { ...own[0]!, metric: 7 };
    // The protocol does not identify the owner, because the kernel names ours differently.
    const live = [blackhole, ...own.map((route) => ({ ...route, protocol: '246' })), byHand, lower];
    expect(addedRoutes(live, own, instance)).toEqual([blackhole, byHand, lower]);
    expect(addedRoutes(own, own, instance)).toEqual([]);
  });

  it('addedRoutes omits changed routes, routes of the instance, and routes that cannot be cloned', () => {
    const live: Route[] = [
      { ...own[0]!, type: 'blackhole', nexthops: [] },
      { ...byHand, prefix: `${far.address}/32` },
      { ...byHand, protocol: 'kernel' },
      { ...byHand, nexthops: [], nexthopId: 7 },
    ];
    expect(addedRoutes(live, own, instance)).toEqual([]);
  });
});
