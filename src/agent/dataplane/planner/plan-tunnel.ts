import { VnmError } from '../../../model/errors.ts';
import { tunnelKindNames } from '../../../model/tunnel.ts';
import type { Device } from './commands.ts';
import type { Draft } from './draft.ts';
import { describeLink } from './links.ts';
import { checkLimit, conflict, type Named, requireStack } from './plan-common.ts';
import { silence } from './plan-quiet.ts';
import { takeLinkDown } from './plan-removal.ts';
import { describePlace, type Link, linkAt, ownStack, type Place, placeOf } from './state.ts';
import type { KernelTunnel } from './tunnels/kind.ts';
import { tunnelKind } from './tunnels/registry.ts';

export function tunnelUp(draft: Draft, operation: Named<'tunnel_up'>): void {
  const tunnel = tunnelKind(operation.kind);
  const devices = tunnel.plan(operation, draft);
  for (const { namespace } of devices) requireStack(draft, namespace);
  const existing = devices.map((device) => standing(draft, tunnel, device));
  if (existing.every((link) => link !== undefined)) {
    devices.forEach((device, index) => {
      adjust(draft, tunnel, placeOfDevice(device), existing[index]!, device.link);
    });
  } else {
    for (const device of devices) makeRoom(draft, tunnel, device);
    checkLimit(draft, 'tunnels', countTunnels(draft));
    draft.addDevices(devices);
  }
  if (operation.gateable) makeGateable(draft, placeOf(operation));
}

function makeGateable(draft: Draft, place: Place): void {
  if (place.namespace !== ownStack) {
    throw new VnmError('invalid-input', `${describePlace(place)} cannot have a gate`, {
      hint: "gates are for interfaces in the node's own stack",
    });
  }
  if (!linkAt(draft, place)!.hook) draft.addHook(place);
}

export function tunnelDown(draft: Draft, operation: Named<'tunnel_down'>): void {
  const place = placeOf(operation);
  if (linkAt(draft, place) !== undefined) takeLinkDown(draft, place);
}

/**
 * Returns the wanted link, if it exists. Another with that name is removed in a repair, otherwise VnmError `conflict`.
 */
function standing(draft: Draft, tunnel: KernelTunnel, device: Device): Link | undefined {
  const [place, wanted] = [placeOfDevice(device), device.link];
  const existing = linkAt(draft, place);
  if (existing === undefined || describeLink(existing) === describeLink(wanted)) return existing;
  if (tunnel.isSame?.(existing, wanted) === true) return existing;
  if (!draft.repair) throw contradiction(place, existing, wanted);
  takeLinkDown(draft, place);
  return undefined;
}

/** Changes what may differ without harm to traffic. */
function adjust(draft: Draft, tunnel: KernelTunnel, place: Place, existing: Link, wanted: Link): void {
  const adjustment = tunnel.adjust?.(place, existing, wanted);
  if (adjustment !== undefined) draft.adjustLink(place, adjustment);
  if (existing.mtu !== wanted.mtu) draft.changeLink(place, { mtu: wanted.mtu });
  if (wanted.mac !== undefined && existing.mac !== wanted.mac) draft.changeLink(place, { mac: wanted.mac });
  if (existing.up) silence(draft, place);
}

/** Removes other links that hold what the kernel allows only once, in a repair; otherwise VnmError `conflict`. */
function makeRoom(draft: Draft, tunnel: KernelTunnel, device: Device): void {
  const claim = tunnel.claim?.(device.link);
  if (claim === undefined) return;
  for (const [namespace, { links }] of draft.stacks) {
    for (const link of [...links.values()]) {
      if (tunnel.claim?.(link) !== claim) continue;
      const other = { namespace, name: link.name };
      if (!draft.repair) {
        const asker = describePlace(placeOfDevice(device));
        throw conflict(`${claim} is taken by ${describePlace(other)}, requested: ${asker}`);
      }
      takeLinkDown(draft, other);
    }
  }
}

function contradiction(place: Place, existing: Link, wanted: Link): Error {
  return conflict(
    `${describePlace(place)} is ${describeLink(existing)}, requested: ${describeLink(wanted)}`,
    'take it down first',
  );
}

function placeOfDevice({ namespace, link }: Device): Place {
  return { namespace, name: link.name };
}

function countTunnels(draft: Draft): number {
  const links = [...draft.stacks.values()].flatMap((stack) => [...stack.links.values()]);
  const count = (wanted: string) => links.filter(({ kind }) => kind === wanted).length;
  return tunnelKindNames
    .map(tunnelKind)
    .map(({ device, devices }) => Math.ceil(count(device) / devices))
    .reduce((sum, tunnels) => sum + tunnels, 0);
}
