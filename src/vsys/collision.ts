/** Describes, in words, what a node uses that collides with a slice. */
import { VnmError } from '../model/errors.ts';
import type { Collision } from './messages.ts';

const maxShown = 8;

export function describeCollision({ what, slice }: Collision): string {
  return slice === undefined ? what : `${what} (slice '${slice}')`;
}

export function describeCollisions(slice: string, vnet: string, collisions: readonly Collision[]): string {
  const shown = collisions.slice(0, maxShown).map(describeCollision);
  const more = collisions.length > maxShown ? [`and ${collisions.length - maxShown} more`] : [];
  return `slice '${slice}' (vnet ${vnet}) collides with what this node uses: ${[...shown, ...more].join('; ')}`;
}

export const collisionHint = 'choose another vnet or number for the slice';

/** Returns one error for all collisions. */
export function collisionError(slice: string, vnet: string, collisions: readonly Collision[]): VnmError {
  return new VnmError('conflict', describeCollisions(slice, vnet, collisions), {
    hint: `nothing was changed there; ${collisionHint}`,
  });
}
