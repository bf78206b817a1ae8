import { expect, it } from 'vitest';
import { createTurns } from '../../src/agent/turns.ts';

it('turns run a few at once, in the order asked, and refuse further ones when too many wait', async () => {
  const inTurn = createTurns('things', 2, 3);
  const began: number[] = [];
  const ends: (() => void)[] = [];
  const ask = (number: number) =>
    inTurn(async () => {
      began.push(number);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (number === 1) throw new Error('it fails');
      return number;
    });
  const asked = [0, 1, 2, 3, 4].map(ask);
  const settled = Promise.allSettled(asked);
  await expect(ask(5)).rejects.toMatchObject({ code: 'failed', message: '5 things are in progress on this node' });
  expect(began).toEqual([0, 1]);
  for (let last = 0; last < 5; last += 1) {
    while (ends.length <= last) await Promise.resolve();
    ends[last]!();
  }
  expect((await settled).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
  expect(began).toEqual([0, 1, 2, 3, 4]);
  const again = ask(6);
  await Promise.resolve();
  ends[5]!();
  expect(await again).toBe(6);
});
