import type { Pinned } from '../armable.ts';
import { gateName } from './gate.ts';
import { conflict } from './plan-common.ts';
import { type KernelState, linkAt, ownStack } from './state.ts';

const hint = 'cancel what is armed, or wait until it has fired';

/** Throws VnmError `conflict` when a plan changes or removes what is pinned. */
export function checkPinned({ nexthops, gates }: Pinned, before: KernelState, after: KernelState): void {
  for (const id of nexthops) {
    if (before.nexthops.get(id) === after.nexthops.get(id)) continue;
    throw conflict(`an armed redirection needs nexthop ${id} unchanged`, hint);
  }
  for (const name of gates) {
    if (partsOf(before, name).every((part, index) => part === partsOf(after, name)[index])) continue;
    throw conflict(`the gate of '${name}' is armed`, hint);
  }
}

function partsOf(state: KernelState, name: string): unknown[] {
  const gate = linkAt(state, { namespace: ownStack, name: gateName(name) });
  return [gate?.gate, gate?.up, linkAt(state, { namespace: ownStack, name })?.redirect];
}
