/** The deaths of killed-checkpoints.test.ts in every phase, and after every request that carries a daemon. */
import { afterAll } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { killedWorlds } from '../support/killed-world.ts';
import { carryingRequests, livingPhases, twoLivingRouters } from '../support/two-living-routers.ts';

const options = {
  ...usualOptions,
  method: 'vroom',
  to: 'final',
  controlPlane: 'checkpoint',
  holdControl: true,
} as const;
const { describeDeaths, remove } = killedWorlds(twoLivingRouters, options);
afterAll(remove);

const requests = carryingRequests.map((after) => ({ after }));

describeDeaths([...livingPhases, ...requests], {
  resume: ['clone', 'move control plane', ...requests, 'flip', 'retire'],
  rollback: ['roll back', ...requests, 'flip', 'remove the new place'],
});
