import type { Draft } from './draft.ts';
import { gateName, gateOf, openGate } from './gate.ts';
import { conflict, type Named, requireLink } from './plan-common.ts';
import { silence } from './plan-quiet.ts';
import { describePlace, linkAt, newLink, ownStack, type Place } from './state.ts';

/** Creates a gate, or opens one that is closed. */
export function gateUp(draft: Draft, { interface: name, limitBytes }: Named<'gate_up'>): void {
  const access = { namespace: ownStack, name };
  const { mac, mtu, hook, redirect } = requireLink(draft, access);
  const place = { namespace: ownStack, name: gateName(name) };
  const existing = linkAt(draft, place);
  const wanted = openGate(limitBytes);
  if (existing === undefined) {
    draft.addDevices([{ namespace: ownStack, link: newLink(place.name, 'ifb', mac, mtu) }]);
  } else if (existing.kind !== 'ifb') {
    throw conflict(`${describePlace(place)} is a ${existing.kind}, but the gate of '${name}' needs that name`);
  }
  silence(draft, place);
  const { up, gate } = linkAt(draft, place)!;
  if (!up) draft.changeLink(place, { up: true });
  if (gate?.limitBytes !== wanted.limitBytes || gate.closed) draft.putGate(place, wanted);
  if (redirect === place.name) return;
  if (redirect !== undefined) draft.removeRedirect(access);
  if (!hook) draft.addHook(access);
  draft.addRedirect(access, place.name);
}

export function gateDown(draft: Draft, { interface: name }: Named<'gate_down'>): void {
  takeGateDown(draft, { namespace: ownStack, name });
}

/** Removes a gate. The packets that it holds are released. */
export function takeGateDown(draft: Draft, access: Place): void {
  const place = gateOf(draft, access);
  const gate = place === undefined ? undefined : linkAt(draft, place)!.gate;
  if (place !== undefined && gate?.closed) draft.putGate(place, { ...gate, closed: false });
  if (linkAt(draft, access)?.redirect !== undefined) {
    draft.removeRedirect(access);
    // On a busy node packets wait in the device, and would be lost with it.
    if (place !== undefined) draft.settle(place);
  }
  if (place !== undefined) draft.removeLink(place);
}
