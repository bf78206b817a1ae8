import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../../../model/errors.ts';
import type { Draft } from './draft.ts';
import { conflict, type Named, requireLink } from './plan-common.ts';
import { silence } from './plan-quiet.ts';
import { clearLink, removeRoutes } from './plan-removal.ts';
import { putRoute, tableOf } from './plan-route.ts';
import { interfaceSettings } from './settings.ts';
import {
  type Address,
  describeAddress,
  describePlace,
  fixtureProtocol,
  type Link,
  linkAt,
  type Neighbour,
  ownStack,
  type Place,
  placeOf,
} from './state.ts';
import { hasMac } from './tunnels/registry.ts';

/** Adds a route to the neighbour instead of the kernel's own entry for the address, which would claim a subnet. */
export function vifUp(draft: Draft, operation: Named<'vif_up'>): void {
  const { address, peer, urpf, pointToPoint } = operation;
  const place = placeOf(operation);
  const link = requireLink(draft, place);
  const wanted: Address = { address, ...(pointToPoint ? { peer: peer.address } : {}), length: 32, bare: true };
  if (pointToPoint && place.namespace === ownStack) throw notForDaemons(place);
  const neighbour = neighbourOf(place, link, peer);
  if (!draft.repair) checkEnds(place, link, wanted, peer.address);
  if (place.namespace === ownStack) draft.set(ownStack, interfaceSettings(place.name, urpf));
  silence(draft, place, pointToPoint);
  if (!link.addresses.some((known) => isSame(known, wanted))) draft.addAddress(place, wanted);
  if (!link.up) draft.changeLink(place, { up: true });
  if (neighbour !== undefined && !link.neighbours.some((known) => isDeepStrictEqual(known, neighbour)))
    draft.putNeighbour(place, neighbour);
  if (draft.repair) removeOthers(draft, place, link, wanted, peer.address);
  putRoute(draft, place.namespace, {
    prefix: `${peer.address}/32`,
    type: 'unicast',
    nexthops: [{ interface: place.name, weight: 1 }],
    protocol: fixtureProtocol,
    table: tableOf(draft, place.namespace),
    onlink: false,
  });
}

export function vifDown(draft: Draft, operation: Named<'vif_down'>): void {
  const place = placeOf(operation);
  const isMeant = ({ address, length }: Address) => address === operation.address && length === 32;
  if (linkAt(draft, place)?.addresses.some(isMeant)) clearLink(draft, place, isMeant);
}

/** Returns none if the kind of tunnel has no MAC addresses: then everything sent over it arrives at the other end. */
function neighbourOf(place: Place, link: Link, { address, mac }: Named<'vif_up'>['peer']): Neighbour | undefined {
  if (!hasMac(link)) return undefined;
  if (mac !== undefined) return { address, mac };
  throw new VnmError('invalid-input', `${describePlace(place)} needs the MAC address of its neighbour ${address}`, {
    hint: 'give it as peer.mac',
  });
}

function notForDaemons(place: Place): VnmError {
  return new VnmError('invalid-input', `${describePlace(place)} cannot be point-to-point`, {
    hint: 'that is for the interfaces of routers: routing daemons run in their namespaces',
  });
}

function checkEnds(place: Place, { addresses, neighbours }: Link, wanted: Address, peer: string): void {
  const [other] = addresses;
  if (other !== undefined && !addresses.some((known) => isSame(known, wanted))) {
    throw conflict(
      `${describePlace(place)} has address ${describeAddress(other)}, requested: ${describeAddress(wanted)}`,
    );
  }
  const [stranger] = neighbours;
  if (stranger !== undefined && !neighbours.some((known) => known.address === peer)) {
    throw conflict(`${describePlace(place)} has neighbour ${stranger.address}, requested: ${peer}`);
  }
}

/**
 * Removes what `checkEnds` refuses. This must be last: an interface that loses its last address loses all routes and
 * neighbours.
 */
function removeOthers(
  draft: Draft,
  place: Place,
  { addresses, neighbours }: Link,
  wanted: Address,
  peer: string,
): void {
  if (!addresses.some((known) => isSame(known, wanted))) {
    for (const other of addresses) {
      removeRoutes(draft, place.namespace, ({ source }) => source === other.address);
      draft.removeAddress(place, other);
    }
  }
  if (neighbours.some((known) => known.address === peer)) return;
  for (const other of neighbours) draft.removeNeighbour(place, other);
}

function isSame(known: Address, { address, length, peer }: Address): boolean {
  return known.address === address && known.length === length && known.peer === peer;
}
