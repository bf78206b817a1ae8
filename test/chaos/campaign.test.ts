/** A short campaign with every fault once; `npm run chaos` runs longer ones. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeAsRoot } from '../support/privileges.ts';
import { runOnce } from './campaign.ts';
import { faultsOf } from './faults.ts';
import { makePlace, type Place } from './place.ts';

const seed = 20;
/** Chooses the runs whose phase cuts a node off while gateways are armed. */
const rounds = 1;
const faults = faultsOf('kernel');

describeAsRoot('a migration under faults', () => {
  let place: Place;
  beforeAll(async () => {
    place = await makePlace('two-node');
  }, 240_000);
  afterAll(() => place.remove(), 240_000);

  it.each(faults.map(({ name }, index) => ({ name, run: index + (index + rounds) * faults.length })))(
    'a migration under the fault "$name" ends completely on its old or its new placement',
    async ({ run }) => {
      const { detail, recovery, problems } = await runOnce(place, seed, run);
      expect(problems, `${detail}: ${recovery}`).toEqual([]);
    },
    180_000,
  );
});
