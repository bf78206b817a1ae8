import { VnmError } from '../../model/errors.ts';

export function unknownWatch(id: string): VnmError {
  return new VnmError('not-found', `this node has no watch '${id}'`, {
    hint: 'a watch that nobody asks about for a minute ends',
  });
}

export function tooManyWatches(id: string, limit: number): VnmError {
  return new VnmError('forbidden', `watch '${id}' would be one more than the ${limit} watches of an agent`, {
    hint: 'stop one that is not needed, or give its targets to one that runs',
  });
}
