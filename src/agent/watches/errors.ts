import { VnmError } from '../../model/errors.ts';

export function unknownWatch(id: string): VnmError {
  return new VnmError('not-found', `this node has no watch '${id}'`, {
    hint: 'start it again; a watch ends if no controller asks for it within a minute',
  });
}

export function tooManyWatches(id: string, limit: number): VnmError {
  return new VnmError('forbidden', `cannot add watch '${id}': an agent has at most ${limit} watches`, {
    hint: 'stop a watch that is not needed, or add the targets to a running one',
  });
}
