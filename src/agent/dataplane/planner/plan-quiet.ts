import type { Draft } from './draft.ts';
import { quietInterface } from './quiet.ts';
import { type Link, linkAt, ownStack, type Place } from './state.ts';

/**
 * Makes an interface quiet; call it before the interface is up. Does not affect traffic of an interface that is up. One
 * with an address for a routing daemon keeps its multicast.
 */
export function silence(draft: Draft, place: Place): void {
  const link = linkAt(draft, place)!;
  if (place.namespace === ownStack) draft.set(ownStack, quietInterface(link));
  if (link.multicast && !isForDaemon(link, place)) draft.changeLink(place, { multicast: false });
}

/** By the form of its address: `vif_up` with `pointToPoint` leaves the kernel its own entry for the two ends. */
function isForDaemon({ addresses }: Link, { namespace }: Place): boolean {
  return namespace !== ownStack && addresses.some(({ length, bare }) => length === 31 && !bare);
}
