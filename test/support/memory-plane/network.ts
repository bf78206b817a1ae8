/** A network of several nodes in this process. Only the state applied to the nodes determines the path of a packet. */
import {
  isGroup,
  type KernelRoute,
  type KernelState,
  type Link,
  linkAt,
  mainTable,
  ownStack,
  type Place,
} from '../../../src/agent/dataplane/planner/state.ts';
import { containsAddress, parseAddress, parsePrefix } from '../../../src/model/address.ts';
import type { Policy } from '../../../src/vsys/policy.ts';
import { guestAt } from './played-guests.ts';

export interface Host {
  /** The address at which tunnels reach it. */
  readonly address: string;
  readonly policy: Policy;
  state: KernelState;
  /** The packets held at closed gates, by interface. */
  readonly held: Map<string, Held[]>;
}

interface Held {
  readonly bytes: number;
  readonly goOn: () => void;
}

/** The hosts by address. */
export type Network = Map<string, Host>;

/** A network stack of a host. */
export interface At {
  readonly host: Host;
  readonly namespace: string;
}

export interface Packet {
  readonly from: string;
  readonly to: string;
  /** With the header. The packet must not be fragmented. */
  readonly bytes: number;
}

interface Way {
  readonly interface: string;
  readonly via?: string;
}

const mostHops = 64;

/** Sends a packet from a stack. Calls `arrive` at once, or when a gate releases the packet; never if it is lost. */
export function forward(
  network: Network,
  at: At,
  packet: Packet,
  arrive: (at: At) => void,
  hopsLeft: number = mostHops,
): void {
  const guest = guestAt(at);
  if (guest === 'silent') return;
  // Its own packets get no further.
  if (guest?.ports === 'leaving' && guest.addresses.includes(packet.from)) return;
  if (hasAddress(at, packet.to)) {
    arrive(at);
    return;
  }
  const way = waysTo(at, packet.to, packet.from)[0];
  const link = way === undefined ? undefined : linkAt(at.host.state, { ...at, name: way.interface });
  if (way === undefined || link === undefined || !link.up || packet.bytes > link.mtu || hopsLeft === 0) return;
  const next = way.via ?? packet.to;
  const mac = guest?.macs.get(next) ?? link.neighbours.find(({ address }) => address === next)?.mac;
  const other = otherEnd(network, at.host, link, mac);
  const otherLink = other === undefined ? undefined : linkAt(other.host.state, other);
  if (other === undefined || !otherLink?.up || mac !== macOf(other, otherLink)) return;
  const goOn = () => {
    if (passesReversePath(other, packet)) forward(network, other, packet, arrive, hopsLeft - 1);
  };
  if (closedGate(other) === undefined) goOn();
  else hold(other, { bytes: packet.bytes, goOn });
}

/** Whether a packet arrives, and one of the same size returns. */
export function comesBack(network: Network, at: At, packet: Packet): boolean {
  let isBack = false;
  forward(network, at, packet, (there) => {
    forward(network, there, { ...packet, from: packet.to, to: packet.from }, () => {
      isBack = true;
    });
  });
  return isBack;
}

/** The MAC address that answers at a link: a guest's device has one of its own. */
function macOf({ host, namespace }: At, link: Link & { readonly name?: string }): string | undefined {
  const ports = host.state.machines?.get(namespace)?.machine.ports;
  return ports?.find((port) => linkAt(host.state, { namespace, name: port.interface }) === link)?.mac ?? link.mac;
}

export function hasAddress({ host, namespace }: At, address: string): boolean {
  const guest = guestAt({ host, namespace });
  if (guest !== undefined) return guest !== 'silent' && guest.addresses.includes(address);
  const links = host.state.stacks.get(namespace)?.links.values() ?? [];
  return [...links].some((link) => link.up && link.addresses.some((own) => own.address === address));
}

/** Returns the ways to an address. Packets to it take the first; packets from it may arrive over any. */
export function waysTo(at: At, to: string, from: string): Way[] {
  const guest = guestAt(at);
  if (guest === 'silent') return [];
  if (guest !== undefined) {
    const fitting = guest.routes.filter(({ prefix }) => containsAddress(parsePrefix(prefix), parseAddress(to)));
    return fitting.toSorted((a, b) => parsePrefix(b.prefix).length - parsePrefix(a.prefix).length).slice(0, 1);
  }
  const route = routeTo(at, to, from);
  if (route === undefined || route.type !== 'unicast') return [];
  const nexthop = route.nexthopId === undefined ? undefined : at.host.state.nexthops.get(route.nexthopId);
  if (nexthop === undefined) return [...route.nexthops];
  if (!isGroup(nexthop)) return [nexthop];
  const members = nexthop.members.map((id) => at.host.state.nexthops.get(id));
  return [...(nexthop.lead === undefined ? [] : [nexthop.lead]), ...(members as (Way | undefined)[])].filter(
    (way) => way !== undefined,
  );
}

/** Releases the held packets of gates that are open by now, or gone. */
export function letGo(host: Host): void {
  for (const [name, held] of [...host.held]) {
    if (closedGate({ host, namespace: ownStack, name }) !== undefined) continue;
    host.held.delete(name);
    for (const { goOn } of held) goOn();
  }
}

/** Chooses the longest prefix, then the smallest metric. */
function routeTo({ host, namespace }: At, to: string, from: string): KernelRoute | undefined {
  const vnet = parsePrefix(host.policy.vnet);
  const { rules, stacks } = host.state;
  const isInside = (address: string) => containsAddress(vnet, parseAddress(address));
  const isLed = (rules.has('to') && isInside(to)) || (rules.has('from') && isInside(from));
  if (namespace === ownStack && !isLed) return undefined;
  const table = namespace === ownStack ? host.policy.table : mainTable;
  const fitting = [...(stacks.get(namespace)?.routes.values() ?? [])].filter(
    (route) => route.table === table && containsAddress(parsePrefix(route.prefix), parseAddress(to)),
  );
  const lengthOf = ({ prefix }: KernelRoute) => parsePrefix(prefix).length;
  return fitting.toSorted((a, b) => lengthOf(b) - lengthOf(a) || (a.metric ?? 0) - (b.metric ?? 0))[0];
}

/** `mac`: of the frame; some go to the second remote. */
export function otherEnd(network: Network, host: Host, { vxlan, peer }: Link, mac?: string): (At & Place) | undefined {
  if (peer !== undefined) return { host, ...peer };
  const isSteered = mac !== undefined && vxlan?.alsoMac === mac;
  const far = vxlan === undefined ? undefined : network.get(isSteered ? vxlan.alsoFrom! : vxlan.remote);
  if (far === undefined) return undefined;
  for (const [namespace, { links }] of far.state.stacks) {
    for (const { name, vxlan: end } of links.values()) {
      if (end?.vni === vxlan!.vni && end.port === vxlan!.port && [end.remote, end.alsoFrom].includes(host.address))
        return { host: far, namespace, name };
    }
  }
  return undefined;
}

/** The larger value of all interfaces and of this one counts, as in the kernel: 1 strict over all routes, 2 loose. */
function passesReversePath({ host, namespace, name }: At & Place, { from, to }: Packet): boolean {
  const { settings } = host.state.stacks.get(namespace)!;
  const readMode = (place: string) => Number(settings.get(`ipv4/conf/${place}/rp_filter`) ?? 0);
  const mode = Math.max(readMode('all'), readMode(name));
  const ways = waysTo({ host, namespace }, from, to);
  if (mode === 0) return true;
  return mode === 2 ? ways.length > 0 : ways.some((way) => way.interface === name);
}

function closedGate({ host, namespace, name }: At & Place): { limitBytes: number } | undefined {
  const { redirect } = linkAt(host.state, { namespace, name }) ?? {};
  const gate = redirect === undefined ? undefined : linkAt(host.state, { namespace, name: redirect })?.gate;
  return gate?.closed ? gate : undefined;
}

function hold(place: At & Place, packet: Held): void {
  const held = place.host.held.get(place.name) ?? [];
  const bytes = held.reduce((sum, other) => sum + other.bytes, packet.bytes);
  if (bytes <= closedGate(place)!.limitBytes) place.host.held.set(place.name, [...held, packet]);
}
