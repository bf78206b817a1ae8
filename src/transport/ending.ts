import { VnmError } from '../model/errors.ts';
import { lost, nameOf } from './ssh-errors.ts';
import type { Ending, Place } from './ssh-types.ts';

/** The ending of a connection, which `end` reports. `causeOf`: what ended it, if that is known. */
export function newEnding(place: Place, causeOf: () => unknown): { readonly ending: Ending; readonly end: () => void } {
  const listeners: ((error?: VnmError) => void)[] = [];
  let isOver = false;
  let isExpected = false;
  let loss: VnmError | undefined;
  const ending: Ending = {
    error: () =>
      isOver ? (loss ?? new VnmError('unreachable', `the connection to ${nameOf(place)} is closed`)) : undefined,
    onEnd: (listener) => {
      if (isOver) listener(loss);
      else listeners.push(listener);
    },
    expect: () => {
      isExpected = true;
    },
  };
  const end = (): void => {
    isOver = true;
    if (!isExpected) loss = lost(place, causeOf());
    for (const listener of listeners.splice(0)) listener(loss);
  };
  return { ending, end };
}
