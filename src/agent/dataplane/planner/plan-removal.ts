/** Removes things together with everything that depends on them, each by a separate command that can be undone. */
import { isDaemonRoute } from '../../../vsys/daemon.ts';
import { controlDevice, hasControl } from './control.ts';
import type { Draft } from './draft.ts';
import { gatedBy } from './gate.ts';
import { describeLink } from './links.ts';
import { conflict } from './plan-common.ts';
import { takeControlDown } from './plan-control.ts';
import { takeGateDown } from './plan-gate.ts';
import { removeNexthop } from './plan-nexthop.ts';
import { protocolName } from './protocols.ts';
import {
  type Address,
  describePlace,
  isGroup,
  type KernelRoute,
  kernelProtocol,
  linkAt,
  ownStack,
  type Place,
  routeKey,
} from './state.ts';
import { isPair } from './tunnels/registry.ts';

/** Removes an interface and the other end of its pair, after everything that depends on either. */
export function takeLinkDown(draft: Draft, place: Place): void {
  takeLinksDown(draft, [place]);
}

/** As `takeLinkDown`, for all these interfaces of one namespace at once. */
export function takeLinksDown(draft: Draft, places: readonly Place[]): void {
  // What is done for OSPF packets has interfaces of its own, which go with the others.
  const isThere = (place: Place) => linkAt(draft, place) !== undefined;
  for (const place of places) if (isThere(place)) clearLinkWithPeer(draft, place);
  draft.removeLinks(places.filter(isThere));
}

/** Throws VnmError `conflict` for an interface that `pl-vnm` did not make. */
function clearLinkWithPeer(draft: Draft, place: Place): void {
  const link = linkAt(draft, place)!;
  const { kind, peer } = link;
  if (kind === '' || (isPair(link) && peer === undefined)) {
    throw conflict(`${describePlace(place)} is ${describeLink(link)}`, 'ask its owner to remove it');
  }
  const gated = gatedBy(place.name);
  if (kind === 'ifb' && gated !== undefined && linkAt(draft, { ...place, name: gated })?.redirect === place.name) {
    throw conflict(`${describePlace(place)} is the gate of '${gated}'`, 'remove it with gate_down');
  }
  const ends = peer === undefined ? [place] : [place, peer];
  for (const end of ends) takeGateDown(draft, end);
  for (const end of ends) leaveControl(draft, end);
  if (linkAt(draft, place) === undefined) return;
  for (const end of ends) clearLink(draft, end, () => true);
}

/** Takes a tunnel out of what happens to OSPF packets, and with the last tunnel, or with the device, all of that. */
function leaveControl(draft: Draft, { namespace, name }: Place): void {
  const control = draft.stacks.get(namespace)!.control;
  const device = controlDevice(draft.policy.interfacePrefix, namespace);
  if (name === device.name && hasControl(draft, device)) takeControlDown(draft, namespace);
  if (control?.tunnels.includes(name) !== true) return;
  const tunnels = control.tunnels.filter((other) => other !== name);
  if (tunnels.length === 0) takeControlDown(draft, namespace);
  else draft.putControl(device, { ...control, tunnels });
}

/** Removes the addresses that are `gone` from an interface, its neighbours, and the routes and nexthops over it. */
export function clearLink(draft: Draft, place: Place, gone: (address: Address) => boolean): void {
  const { addresses, neighbours } = linkAt(draft, place)!;
  const leaving = addresses.filter(gone);
  const isOver = ({ nexthops }: KernelRoute) => nexthops.some((hop) => hop.interface === place.name);
  const isFrom = ({ source }: KernelRoute) => leaving.some(({ address }) => address === source);
  removeRoutes(draft, place.namespace, (route) => isOver(route) || isFrom(route));
  if (place.namespace === ownStack) {
    for (const id of [...draft.nexthops.keys()]) {
      // With a member a group has gone, or leads to another one.
      const nexthop = draft.nexthops.get(id);
      const way = nexthop !== undefined && isGroup(nexthop) ? nexthop.lead : nexthop;
      if (nexthop !== undefined && way?.interface === place.name) removeNexthop(draft, nexthop);
    }
  }
  for (const neighbour of neighbours) draft.removeNeighbour(place, neighbour);
  // The last first, since they are restored in reverse: the first one is the source of packets.
  for (const address of leaving.reverse()) draft.removeAddress(place, address);
}

/**
 * Removes routes in an order in which they can be restored exactly. Of several entries that differ only in the next
 * hop, the first is removed last; entries with a gateway are removed before the entry that leads to the gateway. The
 * kernel's own entries come and go with their addresses, and those of a running daemon when it sees the change.
 */
export function removeRoutes(draft: Draft, namespace: string, which: (route: KernelRoute) => boolean): void {
  const isDaemons = ({ protocol }: KernelRoute) =>
    draft.daemons.has(namespace) && isDaemonRoute({ protocol: protocolName(protocol) });
  const routes = [...draft.stacks.get(namespace)!.routes].filter(
    ([, route]) => route.protocol !== kernelProtocol && !isDaemons(route) && which(route),
  );
  const rank = ([key, route]: [string, KernelRoute]) => {
    if (key !== routeKey(route)) return 0;
    return route.nexthops.some(({ via }) => via !== undefined) ? 1 : 2;
  };
  for (const [key, route] of routes.reverse().sort((a, b) => rank(a) - rank(b))) {
    draft.removeRoute(namespace, key, route);
  }
}
