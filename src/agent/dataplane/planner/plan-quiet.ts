import type { Draft } from './draft.ts';
import { quietInterface } from './quiet.ts';
import { linkAt, ownStack, type Place } from './state.ts';

/**
 * Makes an interface quiet; call it before the interface is up. Does not affect traffic of an interface that is up.
 * `forDaemon`: whether a routing daemon uses it, and needs its multicast; by default, whether its address says so.
 */
export function silence(
  draft: Draft,
  place: Place,
  forDaemon = linkAt(draft, place)!.addresses.some(({ length }) => length < 32),
): void {
  const link = linkAt(draft, place)!;
  if (place.namespace === ownStack) draft.set(ownStack, quietInterface(link));
  if (link.multicast && !forDaemon) draft.changeLink(place, { multicast: false });
}
