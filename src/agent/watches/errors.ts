import { VnmError } from '../../model/errors.ts';

export function unknownWatch(id: string): VnmError {
  return new VnmError('not-found', `this node has no watch '${id}'`, {
    hint: 'start it again: a watch ends when no controller asks about it for a minute',
  });
}

export function tooManyWatches(id: string, limit: number): VnmError {
  return new VnmError('forbidden', `watch '${id}' would be one more than the ${limit} watches of an agent`, {
    hint: 'stop one that is not needed, or give its targets to one that runs',
  });
}
