import { isDeepStrictEqual } from 'node:util';
import { containsAddress, maskTo, parseAddress } from '../../../model/address.ts';
import { VnmError } from '../../../model/errors.ts';
import type { Draft } from './draft.ts';
import { conflict, type Named, requireLink } from './plan-common.ts';
import { silence } from './plan-quiet.ts';
import { clearLink, removeRoutes } from './plan-removal.ts';
import { putRoute, tableOf } from './plan-route.ts';
import { interfaceSettings } from './settings.ts';
import {
  type Address,
  connectedRoute,
  describePlace,
  fixtureProtocol,
  type Link,
  linkAt,
  type Neighbour,
  ownStack,
  type Place,
  placeOf,
  routeKey,
} from './state.ts';
import { hasMac } from './tunnels/registry.ts';

/** Of an address that is alone. */
const hostLength = 32;
/** Of the two addresses of a link (RFC 3021). */
const subnetLength = 31;

/**
 * Adds a route to the neighbour instead of the kernel's own entry for the address, which would claim a subnet. For a
 * routing daemon the kernel's own entry is better: it claims nothing but the two ends, and FRR does not accept a way
 * through a neighbour to which another entry leads.
 */
export function vifUp(draft: Draft, operation: Named<'vif_up'>): void {
  const { address, peer, urpf, pointToPoint } = operation;
  const place = placeOf(operation);
  const link = requireLink(draft, place);
  const own = { address, length: pointToPoint ? subnetLength : hostLength };
  if (pointToPoint) checkSubnet(place, own, peer.address);
  const neighbour = neighbourOf(place, link, peer);
  if (!draft.repair) checkEnds(place, link, own, peer.address);
  if (place.namespace === ownStack) draft.set(ownStack, interfaceSettings(place.name, urpf));
  if (!pointToPoint) silence(draft, place);
  else if (link.multicast !== true) draft.changeLink(place, { multicast: true });
  putAddress(draft, place, { ...own, bare: !pointToPoint });
  if (!link.up) draft.changeLink(place, { up: true });
  if (neighbour !== undefined && !link.neighbours.some((known) => isDeepStrictEqual(known, neighbour)))
    draft.putNeighbour(place, neighbour);
  if (draft.repair) removeOthers(draft, place, link, own, peer.address);
  if (pointToPoint) return;
  putRoute(draft, place.namespace, {
    prefix: `${peer.address}/32`,
    type: 'unicast',
    nexthops: [{ interface: place.name, weight: 1 }],
    protocol: fixtureProtocol,
    table: tableOf(draft, place.namespace),
    onlink: false,
  });
}

/** Adds the address, and again where the kernel's own entry for it was removed. */
function putAddress(draft: Draft, place: Place, wanted: Address): void {
  const { addresses, up } = linkAt(draft, place)!;
  const known = addresses.find((address) => isSame(address, wanted));
  const { routes } = draft.stacks.get(place.namespace)!;
  if (known !== undefined && (wanted.bare || !up || routes.has(routeKey(connectedRoute(place.name, wanted))))) return;
  if (known !== undefined) draft.removeAddress(place, known);
  draft.addAddress(place, wanted);
}

export function vifDown(draft: Draft, operation: Named<'vif_down'>): void {
  const place = placeOf(operation);
  const isMeant = ({ address, length }: Address) =>
    address === operation.address && (length === hostLength || length === subnetLength);
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

/** Throws VnmError `invalid-input` where a daemon could not see its neighbour. */
function checkSubnet(place: Place, { address, length }: HostOrSubnet, peer: string): void {
  if (place.namespace === ownStack) {
    throw new VnmError('invalid-input', `${describePlace(place)}: routing daemons run in router namespaces only`, {
      hint: 'leave out pointToPoint, or name a namespace',
    });
  }
  if (containsAddress({ base: maskTo(parseAddress(address), length), length }, parseAddress(peer))) return;
  throw new VnmError('invalid-input', `${describePlace(place)}: neighbour ${peer} is not in ${address}/${length}`, {
    hint: 'a routing daemon only sees neighbours in the subnet of the interface',
  });
}

function checkEnds(place: Place, { addresses, neighbours }: Link, own: HostOrSubnet, peer: string): void {
  const [other] = addresses;
  if (other !== undefined && !addresses.some((known) => isSame(known, own))) {
    const requested = `${own.address}/${own.length}`;
    throw conflict(`${describePlace(place)} has address ${other.address}/${other.length}, requested: ${requested}`);
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
  own: HostOrSubnet,
  peer: string,
): void {
  if (!addresses.some((known) => isSame(known, own))) {
    for (const other of addresses) {
      removeRoutes(draft, place.namespace, ({ source }) => source === other.address);
      draft.removeAddress(place, other);
    }
  }
  if (neighbours.some((known) => known.address === peer)) return;
  for (const other of neighbours) draft.removeNeighbour(place, other);
}

type HostOrSubnet = Pick<Address, 'address' | 'length'>;

function isSame(known: Address, { address, length }: HostOrSubnet): boolean {
  return known.address === address && known.length === length;
}
