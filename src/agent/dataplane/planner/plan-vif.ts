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
  const { address, peer, urpf } = operation;
  const place = placeOf(operation);
  const link = requireLink(draft, place);
  const neighbour = neighbourOf(place, link, peer);
  if (!draft.repair) checkEnds(place, link, address, peer.address);
  if (place.namespace === ownStack) draft.set(ownStack, interfaceSettings(place.name, urpf));
  silence(draft, place);
  if (!link.addresses.some((known) => isHost(known, address)))
    draft.addAddress(place, { address, length: 32, bare: true });
  if (!link.up) draft.changeLink(place, { up: true });
  if (neighbour !== undefined && !link.neighbours.some((known) => isDeepStrictEqual(known, neighbour)))
    draft.putNeighbour(place, neighbour);
  if (draft.repair) removeOthers(draft, place, link, address, peer.address);
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
  const isMeant = (known: Address) => isHost(known, operation.address);
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

function checkEnds(place: Place, { addresses, neighbours }: Link, address: string, peer: string): void {
  const [other] = addresses;
  if (other !== undefined && !addresses.some((known) => isHost(known, address))) {
    throw conflict(`${describePlace(place)} has address ${other.address}/${other.length}, requested: ${address}/32`);
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
  address: string,
  peer: string,
): void {
  if (!addresses.some((known) => isHost(known, address))) {
    for (const other of addresses) {
      removeRoutes(draft, place.namespace, ({ source }) => source === other.address);
      draft.removeAddress(place, other);
    }
  }
  if (neighbours.some((known) => known.address === peer)) return;
  for (const other of neighbours) draft.removeNeighbour(place, other);
}

function isHost(known: Address, address: string): boolean {
  return known.address === address && known.length === 32;
}
