import { VnmError } from '../model/errors.ts';

/** Runs `body` when its turn has come. Throws VnmError `failed` where too many wait already. */
export type Turns = <T>(body: () => Promise<T>) => Promise<T>;

/** So many at once, and so many that wait, first come, first served. `what` they are, for the message. */
export function createTurns(what: string, atOnce: number, most: number): Turns {
  let running = 0;
  const waiting: (() => void)[] = [];

  return async (body) => {
    if (running < atOnce) running += 1;
    else if (waiting.length < most) await new Promise<void>((resolve) => waiting.push(resolve));
    else
      throw new VnmError('failed', `${atOnce + most} ${what} are under way on this node`, { hint: 'ask again later' });
    try {
      return await body();
    } finally {
      const next = waiting.shift();
      // It takes over the place.
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
