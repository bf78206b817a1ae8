/** The addresses by which routers, gateways and end hosts of a VN reach each other. Pure. */
import { VnmError } from '../../model/errors.ts';
import { gatewayOf } from '../../model/slice.ts';
import { gatewayLink, type Instance } from '../../planning/instance.ts';
import { endName, linksOf } from '../../planning/neighbourhood.ts';
import { pathsOf } from '../../planning/paths.ts';
import type { AccessLink, VnPlan } from '../../planning/vn-plan.ts';
import { describePlace, type PlaceName } from './place.ts';

/**
 * Returns the address of a place by which another place of the VN reaches it, and from which it answers: of a router
 * the one where packets on the configured path enter it; of a gateway, one of its access links for end hosts, otherwise
 * that of its link into the instance. Throws VnmError `not-found` for a router without links.
 */
export function addressOf(plan: VnPlan, instance: Instance, place: PlaceName, other: PlaceName): string {
  if (place.kind === 'end host') return accessOf(plan, place).hostEnd.address;
  if (place.kind === 'gateway') return addressOfGateway(plan, instance, place, other);
  const link = entryOf(plan, instance, place, other);
  if (link !== undefined) return link;
  throw new VnmError('not-found', `${describePlace(place)} has no link, and so no address`);
}

function accessOf({ access }: VnPlan, { name }: PlaceName): AccessLink {
  return access.find(({ endHost }) => endHost === name)!;
}

function addressOfGateway(plan: VnPlan, instance: Instance, { name }: PlaceName, other: PlaceName): string {
  const own = gatewayLink(instance, name).a.address;
  if (other.kind !== 'end host') return own;
  // An end host may have routes to the links of end hosts only.
  const links = plan.access.filter(({ gateway }) => gateway === name);
  const nearest = links.find(({ endHost }) => endHost === other.name) ?? links[0];
  return nearest?.gatewayEnd.address ?? own;
}

/** The address of a router at which packets from another place enter it. */
function entryOf(plan: VnPlan, instance: Instance, { name }: PlaceName, other: PlaceName): string | undefined {
  const links = linksOf(instance, name);
  const [at, gateway] = [routerOf(plan, other), gatewayBefore(plan, other)];
  const before = at === name ? gateway : pathsOf(plan.vn).between(at, name).at(-2);
  const isVirtual = at !== name;
  const entry = links.find(({ peer }) => endName(peer) === before && (peer.router !== undefined) === isVirtual);
  return (entry ?? links[0])?.own.address;
}

/** The router where packets of a place enter the network of routers. */
function routerOf(plan: VnPlan, place: PlaceName): string {
  const gateway = gatewayBefore(plan, place);
  return gateway === undefined ? place.name : gatewayOf(plan.vn, gateway).router;
}

function gatewayBefore(plan: VnPlan, place: PlaceName): string | undefined {
  if (place.kind === 'router') return undefined;
  return place.kind === 'gateway' ? place.name : accessOf(plan, place).gateway;
}

/** Returns whose each address of the VN is. */
export function ownersOf({ access }: Pick<VnPlan, 'access'>, { links }: Instance): ReadonlyMap<string, PlaceName> {
  return new Map<string, PlaceName>([
    ...links.flatMap(({ a, b }) =>
      [a, b].map(
        (end) => [end.address, { kind: end.router === undefined ? 'gateway' : 'router', name: endName(end) }] as const,
      ),
    ),
    ...access.flatMap(({ endHost, gateway, hostEnd, gatewayEnd }) => [
      [hostEnd.address, { kind: 'end host', name: endHost }] as const,
      [gatewayEnd.address, { kind: 'gateway', name: gateway }] as const,
    ]),
  ]);
}
