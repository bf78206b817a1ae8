/** Real routing daemons with the generated configurations, wired by agents as the controller has them wired. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DaemonKind } from '../../src/model/daemon.ts';
import { routerNames } from '../../src/model/router.ts';
import { type LivingRouters, lackOfDaemons, startLivingRouters } from '../support/living-routers.ts';
import { type Learning, livingSlice } from '../support/living-slice.ts';
import { describeAsRootUnless } from '../support/privileges.ts';

/** In the ring each kind has a neighbour of its own kind, and one of the other. */
const kinds: readonly DaemonKind[] = ['bird', 'bird', 'frr', 'frr'];
const ways: readonly Learning[] = ['ospf', 'bgp', 'both'];

/** The protocols of the daemons' routes, and of what the kernel adds with an address, by number. */
const expected = new Set(['2', '11', '12', '186', '188', '196']);

describeAsRootUnless(lackOfDaemons(), 'routing daemons', () => {
  describe.each(ways)('routers that learn by %s', (learning) => {
    let routers: LivingRouters;
    beforeAll(async () => {
      // Two systems with two links between them leave by the nearest, so that the way back may be another.
      routers = await startLivingRouters(livingSlice(kinds, learning), learning === 'both' ? 'loose' : 'strict');
    });
    afterAll(() => routers?.remove());

    it('every router learns how to reach every end host and every address of the instance', async () => {
      const { plan, instance } = routers;
      const wanted = [
        ...plan.access.map(({ prefix }) => prefix),
        // The two ends of a link are a subnet.
        ...instance.links.map(({ a }) => `${a.address}/31`),
      ];
      for (const router of routerNames(plan.vn)) {
        const missing = () => {
          const known = new Set(routers.routes(router).map(({ dst }) => dst));
          return wanted.filter((prefix) => !known.has(prefix));
        };
        while (missing().length > 0) await sleep(200);
        expect(routers.routes(router).filter(({ protocol }) => !expected.has(protocol))).toEqual([]);
      }
    });

    it('every router can reach every address of the instance', async () => {
      const { plan, instance } = routers;
      const addresses = instance.links.flatMap(({ a, b }) => [a, b]).filter(({ router }) => router !== undefined);
      for (const router of routerNames(plan.vn)) {
        for (const { address } of addresses) await until(() => routers.reaches(router, address));
      }
    });

    if (learning !== 'ospf') return;

    it('the daemons take the ways with the least cost', async () => {
      // From b-x to the end hosts behind d: over c it costs 20, over a 25.
      const { plan, instance } = routers;
      const overC = instance.links[1]!.b.address;
      const { prefix } = plan.access[1]!;
      await until(() =>
        routers.ip('b-x', `route show ${prefix}`).includes(`via ${overC} dev ${instance.links[1]!.a.interface} `),
      );
    });
  });
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(200);
}
