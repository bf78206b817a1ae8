import { VnmError } from '../../../model/errors.ts';
import type { Draft } from './draft.ts';
import { ownStack } from './ip.ts';
import { checkLimit, conflict, type Named, newLink, placeOf, requireStack } from './plan-common.ts';
import { takeLinkDown } from './plan-removal.ts';
import { describePlace, describeStack, type Link, linkAt, type Place, type VxlanEnds } from './state.ts';

type VxlanUp = Extract<Named<'tunnel_up'>, { kind: 'vxlan' }>;
type LocalUp = Extract<Named<'tunnel_up'>, { kind: 'local' }>;

export function tunnelUp(draft: Draft, operation: Named<'tunnel_up'>): void {
  if (operation.kind === 'vxlan') vxlanUp(draft, operation);
  else localUp(draft, operation);
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

function vxlanUp(draft: Draft, operation: VxlanUp): void {
  const place = placeOf(operation);
  const { mac, mtu, vni, remote, port } = operation;
  const wanted: Link = { ...newLink(place.name, 'vxlan', mac, mtu), vxlan: { vni, remote, port } };
  requireStack(draft, place.namespace);
  const existing = standing(draft, place, wanted);
  if (existing === undefined) {
    makeVniFree(draft, place, { vni, remote, port });
    checkLimit(draft, 'tunnels', countTunnels(draft));
    draft.addLink(place.namespace, wanted);
  } else {
    adjust(draft, place, existing, wanted);
  }
}

function localUp(draft: Draft, operation: LocalUp): void {
  const place = placeOf(operation);
  const peer = placeOf(operation.peer);
  const link: Link = { ...newLink(place.name, 'veth', operation.mac, operation.mtu), peer };
  const other: Link = { ...newLink(peer.name, 'veth', operation.peer.mac, operation.mtu), peer: place };
  requireStack(draft, place.namespace);
  requireStack(draft, peer.namespace);
  const existing = standing(draft, place, link);
  const existingPeer = standing(draft, peer, other);
  // Each names the other, so both are there or none.
  if (existing === undefined || existingPeer === undefined) {
    checkLimit(draft, 'tunnels', countTunnels(draft));
    draft.addPair(place.namespace, link, peer.namespace, other);
    return;
  }
  adjust(draft, place, existing, link);
  adjust(draft, peer, existingPeer, other);
}

/** The link that is wanted, if it is there. Another of that name is taken down to repair it, else VnmError `conflict`. */
function standing(draft: Draft, place: Place, wanted: Link): Link | undefined {
  const existing = linkAt(draft, place);
  if (existing === undefined || describeLink(existing) === describeLink(wanted)) return existing;
  if (!draft.repair) throw contradiction(place, existing, wanted);
  takeLinkDown(draft, place);
  return undefined;
}

/** Only these two may differ: traffic does not suffer from the change. */
function adjust(draft: Draft, place: Place, existing: Link, wanted: Link): void {
  if (existing.mtu !== wanted.mtu) draft.changeLink(place, { mtu: wanted.mtu });
  if (existing.mac !== wanted.mac) draft.changeLink(place, { mac: wanted.mac });
}

/** The kernel takes a VNI once per port, in the node's own stack, wherever the interface is. */
function makeVniFree(draft: Draft, place: Place, { vni, port }: VxlanEnds): void {
  for (const [namespace, { links }] of draft.stacks) {
    for (const { name, vxlan } of [...links.values()]) {
      if (vxlan?.vni !== vni || vxlan.port !== port) continue;
      if (draft.repair) {
        takeLinkDown(draft, { namespace, name });
        continue;
      }
      throw conflict(
        `VNI ${vni} at port ${port} is taken by ${describePlace({ namespace, name })}, asked for ${describePlace(place)}`,
      );
    }
  }
}

function contradiction(place: Place, existing: Link, wanted: Link): Error {
  return conflict(
    `${describePlace(place)} is ${describeLink(existing)}, asked for ${describeLink(wanted)}`,
    'take it down first',
  );
}

/** All that makes a tunnel this one and not another. */
export function describeLink({ kind, vxlan, peer, gate }: Link): string {
  if (gate !== undefined) return gate.closed ? 'a closed gate' : 'an open gate';
  if (vxlan !== undefined) return `a vxlan with VNI ${vxlan.vni} to ${vxlan.remote}:${vxlan.port}`;
  if (kind !== 'veth') return kind === '' ? 'hardware' : `a ${kind}`;
  if (peer === undefined) return "a pair whose other end is not the slice's";
  return `a pair with '${peer.name}'${describeStack(peer.namespace)}`;
}

function countTunnels(draft: Draft): number {
  const kinds = [...draft.stacks.values()].flatMap(({ links }) => [...links.values()].map(({ kind }) => kind));
  const count = (wanted: string) => kinds.filter((kind) => kind === wanted).length;
  return count('vxlan') + Math.ceil(count('veth') / 2);
}
