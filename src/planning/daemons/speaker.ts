/**
 * What one router's daemon has to do, whatever program it is: its identity, links, static routes and sessions. Pure.
 */
import type { Routing } from '../../model/daemon.ts';
import { VnmError } from '../../model/errors.ts';
import type { RouterName } from '../../model/names.ts';
import { type DaemonRouter, daemonRouter } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance, InstanceLink } from '../instance.ts';
import { sides } from '../routes.ts';
import type { AccessLink, VnPlan } from '../vn-plan.ts';
import { routerId } from './router-id.ts';

export interface Speaker {
  /** `a.b.c.d` */
  readonly id: string;
  /** All interfaces of the router. */
  readonly interfaces: readonly string[];
  /** Absent if the VN has no OSPF. */
  readonly ospf?: Routing & { readonly links: readonly OspfLink[] };
  /** Absent if the router is in no autonomous system. */
  readonly bgp?: { readonly as: number; readonly sessions: readonly Session[] };
  /** The end hosts behind the router's gateways. */
  readonly endHosts: readonly StaticRoute[];
  /** The user's own statements. */
  readonly text?: string;
}

interface OspfLink {
  readonly interface: string;
  /** 1 to 65,535 */
  readonly cost: number;
}

interface StaticRoute {
  readonly prefix: string;
  readonly via: string;
  readonly interface: string;
}

interface Session {
  /** Names it within the configuration: letters, digits, `-` and `_`. */
  readonly name: string;
  readonly own: string;
  readonly peer: string;
  readonly peerAs: number;
  /** Whether the peer is a program at an end host, behind a gateway; otherwise it is at the other end of a link. */
  readonly isBehindGateway: boolean;
}

type Configured = Pick<DaemonRouter, 'name' | 'config'>;

/** The router is of any kind; its daemon has this configuration. */
export function planSpeaker({ slice, vn, access }: VnPlan, instance: Instance, router: Configured): Speaker {
  const { name } = router;
  const { text, bgp } = router.config;
  const links = instance.links.filter(({ a, b }) => a.router === name || b.router === name);
  return {
    id: routerId(slice, vn, name),
    interfaces: links.map((link) => sides(link, name).own.interface),
    endHosts: links.flatMap((link) => endHostsBehind(access, link)),
    ...(vn.routing === undefined ? {} : { ospf: { ...vn.routing, links: ospfLinks(vn, instance, name) } }),
    ...(bgp === undefined ? {} : { bgp: { as: bgp.as, sessions: sessions(vn, instance, access, router) } }),
    ...(text === undefined ? {} : { text }),
  };
}

function endHostsBehind(access: readonly AccessLink[], { a, b }: InstanceLink): StaticRoute[] {
  return access
    .filter(({ gateway }) => gateway === a.gateway)
    .map(({ prefix }) => ({ prefix, via: a.address, interface: b.interface }));
}

/** The links within the router's autonomous system. Instances begin with the links of the VN, in their order. */
function ospfLinks(vn: VirtualNetwork, instance: Instance, router: RouterName): OspfLink[] {
  return vn.links.flatMap(({ from, to, cost }, index) => {
    if ((from !== router && to !== router) || isBorder(vn, from, to)) return [];
    return [{ interface: sides(instance.links[index]!, router).own.interface, cost }];
  });
}

/** Whether a link joins two autonomous systems. */
function isBorder(vn: VirtualNetwork, from: RouterName, to: RouterName): boolean {
  const [one, other] = [from, to].map((name) => daemonRouter(vn, name)?.config.bgp?.as);
  return one !== undefined && other !== undefined && one !== other;
}

/** A session that only one of its ends lists is configured at both. */
function sessions(
  vn: VirtualNetwork,
  instance: Instance,
  access: readonly AccessLink[],
  { name, config }: Configured,
): Session[] {
  const listed = config.bgp!.neighbours;
  const overLinks = vn.links.flatMap(({ from, to }, index): Session[] => {
    if (from !== name && to !== name) return [];
    const neighbour = daemonRouter(vn, from === name ? to : from)?.config.bgp;
    const peerName = from === name ? to : from;
    const isListed =
      listed.some((one) => 'router' in one && one.router === peerName) ||
      neighbour?.neighbours.some((one) => 'router' in one && one.router === name);
    if (neighbour === undefined || isListed !== true) return [];
    const { own, peer } = sides(instance.links[index]!, name);
    const session = { own: own.address, peer: peer.address, peerAs: neighbour.as, isBehindGateway: false };
    return [{ name: `to_${peerName}`, ...session }];
  });
  const behindGateways = listed.flatMap((one): Session[] => {
    if (!('address' in one)) return [];
    const link = access.find(({ hostEnd, gatewayEnd }) => [hostEnd.address, gatewayEnd.address].includes(one.address));
    const joined = instance.links.find(({ a, b }) => a.gateway === link?.gateway && b.router === name);
    if (link === undefined || joined === undefined) {
      throw new VnmError('invalid-input', `router '${name}': ${one.address} is not behind one of its gateways`);
    }
    const session = { own: joined.b.address, peer: one.address, peerAs: one.as, isBehindGateway: true };
    return [{ name: `to_${one.address.replaceAll('.', '_')}`, ...session }];
  });
  return [...overLinks, ...behindGateways];
}
