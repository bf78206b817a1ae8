import type { Draft } from './draft.ts';
import { ownStack } from './ip.ts';
import { quietInterface } from './quiet.ts';
import { linkAt, type Place } from './state.ts';

/** Must come before the interface is up. Changes nothing of what an interface that is up carries. */
export function silence(draft: Draft, place: Place): void {
  const link = linkAt(draft, place)!;
  if (place.namespace === ownStack) draft.set(ownStack, quietInterface(link));
  if (link.multicast) draft.changeLink(place, { multicast: false });
}
