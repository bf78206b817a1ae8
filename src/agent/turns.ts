import { VnmError } from '../model/errors.ts';

/** Runs `body` when its turn comes. Throws VnmError `failed` if too many wait already. */
export type Turns = <T>(body: () => Promise<T>) => Promise<T>;

/**
 * Runs up to `atOnce` bodies at once and lets up to `most` wait, in order of arrival. `what`: their plural, for the
 * message.
 */
export function createTurns(what: string, atOnce: number, most: number): Turns {
  let running = 0;
  const waiting: (() => void)[] = [];

  return async (body) => {
    if (running < atOnce) running += 1;
    else if (waiting.length < most) await new Promise<void>((resolve) => waiting.push(resolve));
    else
      throw new VnmError('failed', `${atOnce + most} ${what} are in progress on this node`, {
        hint: 'try again later',
      });
    try {
      return await body();
    } finally {
      const next = waiting.shift();
      // The next one takes this place.
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
