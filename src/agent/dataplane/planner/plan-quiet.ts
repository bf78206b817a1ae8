import type { Draft } from './draft.ts';
import { quietInterface } from './quiet.ts';
import { linkAt, ownStack, type Place } from './state.ts';

/**
 * Makes an interface quiet; call it before the interface is up. Does not affect traffic of an interface that is up.
 * `multicast`: whether it carries multicast, by default if a routing daemon may use it.
 */
export function silence(
  draft: Draft,
  place: Place,
  multicast = linkAt(draft, place)!.addresses.some(({ peer }) => peer !== undefined),
): void {
  const link = linkAt(draft, place)!;
  if (place.namespace === ownStack) draft.set(ownStack, quietInterface(link));
  if ((link.multicast ?? false) !== multicast) draft.changeLink(place, { multicast });
}
