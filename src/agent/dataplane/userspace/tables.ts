/**
 * What the forwarding needs of a state, prepared for its look-ups. Made aside, and put in place of the one before in
 * one step.
 */
import type { Prefix } from '../../../model/address.ts';
import { parseAddress, parsePrefix } from '../../../model/address.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { ownStack } from '../kernel/ip.ts';
import {
  isGroup,
  type KernelRoute,
  type KernelState,
  type Link,
  mainTable,
  type Nexthop,
  type Place,
} from '../kernel/state.ts';
import type { Counters, Traffic } from './counters.ts';
import { encodeTunnelHeader } from './header.ts';
import { createPrefixTable, type PrefixTable } from './prefix-table.ts';
import type { Switches } from './switches.ts';

/** An interface. */
export interface Port {
  readonly stack: StackTables;
  readonly place: Place;
  readonly link: Link;
  readonly traffic: Traffic;
  /** Its first address, the source of ICMP errors; 0 without one. */
  readonly address: number;
  readonly check: ReversePathCheck;
  /** The other end of a pair on this node. */
  peer?: Port;
  readonly tunnel?: Tunnel;
  readonly gate?: Gate;
}

type ReversePathCheck = 'strict' | 'loose' | 'none';

interface Tunnel {
  readonly header: Buffer;
  readonly remote: string;
  readonly port: number;
}

/** Of an interface whose packets wait while the slot's value is 1. */
interface Gate {
  readonly slot: number;
  readonly limitBytes: number;
}

export interface StackTables {
  readonly namespace: string;
  readonly addresses: ReadonlySet<number>;
  /** Positions are those of `targets`. */
  readonly prefixes: PrefixTable;
  readonly targets: readonly Target[];
  /** Which the prefixes are of. */
  readonly routes: readonly KernelRoute[];
}

/** Where a prefix leads. */
export type Target =
  | { readonly type: 'rejected'; readonly as: Exclude<KernelRoute['type'], 'unicast'> }
  | { readonly type: 'ways'; readonly ways: readonly Way[]; readonly totalWeight: number }
  | { readonly type: 'group'; readonly group: Group };

/** `port`: undefined where the neighbour cannot be reached over the interface. */
export interface Way {
  readonly interface: Place;
  readonly port: Port | undefined;
  readonly weight: number;
}

/** `members` are accepted by the reverse-path check next to the active one, if that is among them. */
export interface Group {
  readonly slot: number;
  readonly members: readonly number[];
  readonly resilient: boolean;
  /** All nexthops that are no groups: any can become active. */
  readonly nexthops: ReadonlyMap<number, Way>;
}

export interface Tables {
  readonly stacks: ReadonlyMap<string, StackTables>;
  readonly tunnels: ReadonlyMap<number, Port>;
  readonly own: StackTables;
  port(place: Place): Port | undefined;
}

/** The values of the switches that a state has. */
export function switchesOf(state: KernelState): Map<`group ${number}` | `gate ${string}`, number> {
  const values = new Map<`group ${number}` | `gate ${string}`, number>();
  for (const nexthop of state.nexthops.values()) {
    if (isGroup(nexthop)) values.set(`group ${nexthop.id}`, nexthop.active ?? nexthop.members[0] ?? 0);
  }
  for (const { name, gate } of state.stacks.get(ownStack)!.links.values()) {
    if (gate !== undefined) values.set(`gate ${name}`, gate.closed ? 1 : 0);
  }
  return values;
}

export interface TablesParts {
  readonly policy: Pick<Policy, 'table'>;
  /** With those of the state. */
  readonly switches: Pick<Switches, 'slotOf'>;
  readonly counters: Counters;
}

/** `before`: whose prefix tables are used again where they are the same. */
export function createTables(state: KernelState, parts: TablesParts, before?: Tables): Tables {
  const { policy, switches } = parts;
  const ports = new Map<string, Port>();
  const tunnels = new Map<number, Port>();
  const portAt = ({ namespace, name }: Place) => ports.get(`${namespace} ${name}`);
  const stacks = new Map<string, StackTables>();
  const fill: (() => void)[] = [];

  for (const [namespace, { links, routes, settings }] of state.stacks) {
    const table = namespace === ownStack ? policy.table : mainTable;
    const isLed = namespace !== ownStack || state.rules.size > 0;
    const best = isLed ? bestRoutes(routes.values(), table) : [];
    const targets: Target[] = [];
    const stack: StackTables = {
      namespace,
      addresses: new Set(
        [...links.values()].flatMap((link) =>
          link.up ? link.addresses.map(({ address }) => parseAddress(address)) : [],
        ),
      ),
      prefixes: prefixesFor(best, before?.stacks.get(namespace)),
      targets,
      routes: best,
    };
    stacks.set(namespace, stack);
    for (const link of links.values()) {
      const port = portOf(stack, { namespace, name: link.name }, link, settings, state, parts);
      ports.set(`${namespace} ${link.name}`, port);
      if (link.udp !== undefined) tunnels.set(link.udp.vni, port);
    }
    fill.push(() => {
      for (const route of best) targets.push(targetOf(route, namespace));
    });
  }
  for (const port of ports.values()) {
    const peer = port.link.peer === undefined ? undefined : portAt(port.link.peer);
    if (peer !== undefined) port.peer = peer;
  }

  const wayOver = (place: Place, neighbour: string | undefined, weight = 1): Way => {
    const port = portAt(place);
    return { interface: place, port: port !== undefined && leads(port, neighbour) ? port : undefined, weight };
  };
  const nexthops = new Map<number, Way>();
  for (const nexthop of state.nexthops.values()) {
    if (isGroup(nexthop)) continue;
    nexthops.set(nexthop.id, wayOver({ namespace: ownStack, name: nexthop.interface }, nexthop.via));
  }

  function targetOf(route: KernelRoute, namespace: string): Target {
    if (route.type !== 'unicast') return { type: 'rejected', as: route.type };
    const nexthop = route.nexthopId === undefined ? undefined : state.nexthops.get(route.nexthopId);
    if (nexthop !== undefined) return targetOver(nexthop);
    const ways = route.nexthops.map((hop) => wayOver({ namespace, name: hop.interface }, hop.via, hop.weight));
    return { type: 'ways', ways, totalWeight: ways.reduce((sum, { weight }) => sum + weight, 0) };
  }

  function targetOver(nexthop: Nexthop): Target {
    if (!isGroup(nexthop)) return { type: 'ways', ways: [nexthops.get(nexthop.id)!], totalWeight: 1 };
    const { id, members, resilient } = nexthop;
    return { type: 'group', group: { slot: switches.slotOf(`group ${id}`)!, members, resilient, nexthops } };
  }

  for (const each of fill) each();
  return { stacks, tunnels, own: stacks.get(ownStack)!, port: portAt };
}

/** Of the routes of a table the one with the smallest metric for each prefix. */
function bestRoutes(routes: Iterable<KernelRoute>, table: number): KernelRoute[] {
  const best = new Map<string, KernelRoute>();
  for (const route of routes) {
    if (route.table !== table) continue;
    const other = best.get(route.prefix);
    if (other === undefined || (route.metric ?? 0) < (other.metric ?? 0)) best.set(route.prefix, route);
  }
  return [...best.values()];
}

function prefixesFor(routes: readonly KernelRoute[], before: StackTables | undefined): PrefixTable {
  const isSame =
    before !== undefined &&
    before.routes.length === routes.length &&
    routes.every((route, index) => route.prefix === before.routes[index]!.prefix);
  return isSame ? before.prefixes : createPrefixTable(routes.map(prefixOf));
}

/** Parsed once for each route, which the planner never changes. */
const parsed = new WeakMap<KernelRoute, Prefix>();

function prefixOf(route: KernelRoute): Prefix {
  let prefix = parsed.get(route);
  if (prefix === undefined) {
    prefix = parsePrefix(route.prefix);
    parsed.set(route, prefix);
  }
  return prefix;
}

function portOf(
  stack: StackTables,
  place: Place,
  link: Link,
  settings: ReadonlyMap<string, string>,
  state: KernelState,
  { switches, counters }: TablesParts,
): Port {
  const first = link.addresses[0]?.address;
  const gate = link.redirect === undefined ? undefined : state.stacks.get(ownStack)!.links.get(link.redirect)?.gate;
  return {
    stack,
    place,
    link,
    traffic: counters.of(place),
    address: first === undefined ? 0 : parseAddress(first),
    check: checkOf(settings, link.name),
    ...(link.udp === undefined
      ? {}
      : { tunnel: { header: encodeTunnelHeader(link.udp), remote: link.udp.remote, port: link.udp.port } }),
    ...(gate === undefined
      ? {}
      : { gate: { slot: switches.slotOf(`gate ${link.redirect!}`)!, limitBytes: gate.limitBytes } }),
  };
}

/**
 * The planner states the modes as Linux does: the larger of the values of `all` and of the interface counts; 1 strict,
 * 2 loose.
 */
function checkOf(settings: ReadonlyMap<string, string>, name: string): ReversePathCheck {
  const value = (place: string) => Number(settings.get(`ipv4/conf/${place}/rp_filter`) ?? 0);
  const mode = Math.max(value('all'), value(name));
  return mode === 0 ? 'none' : mode === 1 ? 'strict' : 'loose';
}

/** Whether what is sent to a neighbour over an interface arrives: of a pair each end knows the other's MAC address. */
function leads({ link, peer }: Port, neighbour: string | undefined): boolean {
  if (peer === undefined || neighbour === undefined) return true;
  return link.neighbours.some(({ address, mac }) => address === neighbour && mac === peer.link.mac);
}
