/** A short campaign with every fault once; `npm run chaos` runs longer ones. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeAsRoot } from '../support/privileges.ts';
import { runOnce } from './campaign.ts';
import { faultsOf } from './faults.ts';
import { makePlace, type Place } from './place.ts';

const seed = 20;
/** Chooses the runs whose phase cuts a node off while gateways are armed. */
const rounds = 1;
const faults = faultsOf('kernel', 'instance');
/** A run mostly waits: for packets, for agents that hang, for nodes that are cut off. */
const placeCount = 2;

describeAsRoot('a migration under faults', () => {
  const places: Place[] = [];
  const free: Place[] = [];
  const waiting: ((place: Place) => void)[] = [];
  beforeAll(async () => {
    // One after the other, so that the second finds the program built.
    while (places.length < placeCount) places.push(await makePlace('two-node'));
    free.push(...places);
  }, 480_000);
  afterAll(async () => {
    for (const place of places) await place.remove();
  }, 480_000);

  /** Runs `body` when a place is free. */
  async function atPlace<T>(body: (place: Place) => Promise<T>): Promise<T> {
    const place = free.pop() ?? (await new Promise<Place>((resolve) => waiting.push(resolve)));
    try {
      return await body(place);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free.push(place);
      else next(place);
    }
  }

  it.concurrent.each(faults.map(({ name }, index) => ({ name, run: index + (index + rounds) * faults.length })))(
    'a migration under the fault "$name" ends completely on its old or its new placement',
    async ({ run }) => {
      const { detail, recovery, problems } = await atPlace((place) => runOnce(place, seed, run));
      expect(problems, `${detail}: ${recovery}`).toEqual([]);
    },
    900_000,
  );
});
