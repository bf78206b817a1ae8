import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../../../model/errors.ts';
import { controlDevice, controlGate, controlTunnels, hasControl } from './control.ts';
import type { Draft } from './draft.ts';
import { pacedBps } from './gate.ts';
import { type Named, requireStack } from './plan-common.ts';
import { type Control, linkAt, newLink, type Place } from './state.ts';
import { checkRemote } from './tunnels/vxlan.ts';

/** Of the device: no tunnel has a larger one. */
const mtu = 65_535;

export function controlUp(draft: Draft, { namespace, sendTo, gate }: Named<'control_up'>): void {
  const { links, control } = requireStack(draft, namespace);
  const tunnels = controlTunnels(links.values());
  if (tunnels.length === 0) {
    throw new VnmError('not-found', `namespace '${namespace}' has no tunnel to another node`, {
      hint: 'create it with tunnel_up',
    });
  }
  if (sendTo !== undefined) checkRemote(draft.ownAddresses, { namespace, name: tunnels[0]! }, sendTo);
  const device = controlDevice(draft.policy.interfacePrefix, namespace);
  const wanted: Control = { tunnels, ...(sendTo === undefined ? {} : { sendTo }), gated: gate !== 'none' };
  if (!hasControl(draft, device)) draft.addDevices([{ namespace, link: newLink(device.name, 'ifb', undefined, mtu) }]);
  if (!linkAt(draft, device)!.up) draft.changeLink(device, { up: true });
  if (control?.gated && !wanted.gated) drain(draft, device);
  else putGate(draft, device, gate === 'closed', heldAt(draft, namespace));
  if (!isDeepStrictEqual(control, wanted)) draft.putControl(device, wanted);
}

export function controlDown(draft: Draft, { namespace }: Named<'control_down'>): void {
  takeControlDown(draft, namespace);
}

export function takeControlDown(draft: Draft, namespace: string): void {
  const device = controlDevice(draft.policy.interfacePrefix, namespace);
  if (!draft.stacks.has(namespace) || !hasControl(draft, device)) return;
  const isGated = draft.stacks.get(namespace)!.control?.gated === true;
  if (isGated) drain(draft, device);
  draft.putControl(device, undefined);
  // A packet that passed the rules just before they went may still be on its way through the device.
  if (isGated) draft.settle(device);
  draft.removeLink(device);
}

/** Opens a closed gate once a daemon listens at the interfaces. */
function putGate(draft: Draft, device: Place, closed: boolean, listeners: readonly string[] = []): void {
  const { gate } = linkAt(draft, device)!;
  if (gate?.closed === closed) return;
  if (gate !== undefined && !closed) draft.awaitListeners(device.namespace, listeners);
  draft.putGate(device, controlGate(closed));
}

function heldAt({ stacks }: Draft, namespace: string): string[] {
  const held = stacks.get(namespace)!.controlCounts?.held ?? [];
  return [...held].filter(([, packets]) => packets > 0).map(([name]) => name);
}

/** Lets everything out that is in the gate, whether or not a daemon listens. */
function drain(draft: Draft, device: Place): void {
  putGate(draft, device, false);
  const { waitingBytes = 0 } = draft.stacks.get(device.namespace)!.controlCounts ?? {};
  draft.settle(device, Math.ceil((waitingBytes * 8 * 1000) / pacedBps));
}
