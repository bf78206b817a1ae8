import { expect, it } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { addedRoutesRecorder } from '../../src/controller/nodes/record-added.ts';
import { missingIn } from '../../src/controller/routing/static.ts';
import { VnmError } from '../../src/model/errors.ts';
import type { Route } from '../../src/model/route.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const routeTo = (prefix: string, via = '10.0.0.1'): Route => ({
  prefix,
  type: 'unicast',
  protocol: 'static',
  nexthops: [{ interface: 'x', via, weight: 1 }],
});

it('what the database has of a VN is read once for all nodes, and what was added is recorded for each', async () => {
  const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
  const reads: string[] = [];
  const saved = new Map<string, string[]>();
  const instances = {
    active: () => ({ id: 1 }),
    plan: () => {
      reads.push('plan');
      return instance;
    },
    routes: () => {
      reads.push('routes');
      return new Map([...instance.placement.keys()].map((router) => [router, [routeTo('10.1.0.0/16')]]));
    },
    saveAddedRoutes: (_id: number, router: string, added: readonly Route[]) =>
      saved.set(
        router,
        added.map(({ prefix }) => prefix),
      ),
  };
  const nodes = [...new Set(instance.placement.values())];
  const gone = nodes[0]!;
  const agents = {
    slice,
    namespacePrefix: () => 'pv-',
    get: (node: string) => ({
      call: async () => {
        if (node === gone) throw new VnmError('not-found', 'no such namespace');
        return { routes: [routeTo('10.1.0.0/16'), routeTo('192.0.2.0/24')] };
      },
    }),
  };
  const record = addedRoutesRecorder({ store: { instances } } as unknown as Context, agents as unknown as Agents, vn);
  for (const node of [...nodes, 'another']) await record(node as (typeof nodes)[number]);
  expect(reads).toEqual(['plan', 'routes']);
  const expected = [...instance.placement].filter(([, node]) => node !== gone).map(([router]) => router);
  expect([...saved.keys()].toSorted()).toEqual(expected.toSorted());
  for (const prefixes of saved.values()) expect(prefixes).toEqual(['192.0.2.0/24']);
});

it('routes are missing when no other is the same in all its parts', () => {
  const [one, other, third] = [routeTo('10.1.0.0/16'), routeTo('10.1.0.0/16', '10.0.0.2'), routeTo('10.2.0.0/16')];
  expect(missingIn([one, third], [other, { ...one }, third])).toEqual([other]);
  expect(missingIn([], [one])).toEqual([one]);
  expect(
    missingIn(
      [one, { ...one, metric: 5 }],
      [
        { ...one, metric: 5 },
        { ...one, metric: 6 },
      ],
    ),
  ).toEqual([{ ...one, metric: 6 }]);
});
