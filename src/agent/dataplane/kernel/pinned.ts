import type { Pinned } from '../armable.ts';
import { gateName } from './gate.ts';
import { ownStack } from './ip.ts';
import { conflict } from './plan-common.ts';
import { type KernelState, linkAt } from './state.ts';

const hint = 'cancel what is armed, or wait until it has fired';

/** Throws VnmError `conflict` when a plan leads to a state where what is pinned is another, or gone. */
export function checkPinned({ nexthops, gates }: Pinned, before: KernelState, after: KernelState): void {
  for (const id of nexthops) {
    if (before.nexthops.get(id) === after.nexthops.get(id)) continue;
    throw conflict(`a redirection is armed that needs nexthop ${id} as it is`, hint);
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
