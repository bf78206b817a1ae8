/** Some faults of the campaign (test/chaos) in user space, without root. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runOnce } from '../chaos/campaign.ts';
import { faultsOf } from '../chaos/faults.ts';
import { makePlace, type Place } from '../chaos/place.ts';

const faults = faultsOf('userspace', 'instance');
const names = ['agent killed', 'gateway killed while armed'];
const seed = 5;

describe('a migration under faults in user space', () => {
  let place: Place;
  beforeAll(async () => {
    place = await makePlace('two-node', { dataplane: 'userspace' });
  });
  afterAll(() => place.remove());

  it.each(names)('a migration under the fault "%s" ends completely on its old or its new placement', async (name) => {
    const run = faults.findIndex((fault) => fault.name === name);
    const { detail, recovery, problems } = await runOnce(place, seed, run);
    expect(problems, `${detail}: ${recovery}`).toEqual([]);
  });
});
