/**
 * Routers with routing daemons that move one after the other, over nodes in memory: killed in each phase of each
 * router, and then resumed or rolled back, every router has one living daemon, at the place where the router is.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { killedWorlds } from '../support/killed-world.ts';
import { livingPhases, twoLivingRouters } from '../support/two-living-routers.ts';

/** Where the recovering command is killed too. */
const again = {
  resume: ['clone', 'move control plane', 'flip', 'retire'],
  rollback: ['roll back', 'remove the new place', 'move control plane', 'flip'],
};

describe.each(['graceful', 'restart'] as const)('routers whose daemons move by %s', (controlPlane) => {
  const options = { ...usualOptions, method: 'vroom', to: 'final', controlPlane } as const;
  const { installed, run, expectWhole, describeDeaths, remove } = killedWorlds(twoLivingRouters, options);
  afterAll(remove);

  it('an undisturbed migration moves one daemon after the other', async () => {
    const world = await installed();
    const { phases: seen, result, world: after } = await run(world, 'migrate');
    const cold = controlPlane === 'restart';
    expect(result).toMatchObject({
      outcome: 'completed',
      controlPlanes: [
        { router: 'a', from: 'n1', to: 'n3', way: controlPlane, cold },
        { router: 'b', from: 'n2', to: 'n4', way: controlPlane, cold },
      ],
      neighbourEvents: [
        { router: 'a', neighbour: 'b', events: 0 },
        { router: 'b', neighbour: 'a', events: 0 },
      ],
    });
    expect(seen).toEqual(['add nodes', ...livingPhases, ...livingPhases]);
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  describeDeaths(livingPhases, again);
});
