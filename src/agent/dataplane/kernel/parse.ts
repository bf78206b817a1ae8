/** Parses the JSON of `ip` into the state. */
import { maskTo, type Prefix, parseAddress } from '../../../model/address.ts';
import { leadNexthop } from '../../../model/ids.ts';
import type { RouteNexthop, RouteType } from '../../../model/route.ts';
import { groupFound } from '../planner/group.ts';
import {
  type Address,
  type KernelRoute,
  type Link,
  type Neighbour,
  type Nexthop,
  routeKey,
  type Way,
} from '../planner/state.ts';
import type { DeviceJson } from '../planner/tunnels/kind.ts';
import { tunnelOf } from '../planner/tunnels/registry.ts';

/**
 * The parts of each kind of object that are read. `ip` leaves out what is not set, and with `-N` prints numbers in
 * place of names.
 */
export interface LinkJson {
  ifindex: number;
  ifname: string;
  flags: string[];
  mtu: number;
  address?: string;
  linkinfo?: { info_kind?: string; info_data?: DeviceJson };
  addr_info?: AddressJson[];
  /** The other end of a pair: by name in the same stack, by index in the namespace with that id. */
  link?: string;
  link_index?: number;
  link_netnsid?: number;
}
export interface AddressJson {
  family: string;
  local: string;
  /** The address of the other end, if there is one; then the length belongs to it. */
  address?: string;
  prefixlen: number;
  broadcast?: string;
  noprefixroute?: boolean;
}
export interface NeighbourJson {
  dst: string;
  dev: string;
  lladdr?: string;
}
interface HopJson {
  gateway?: string;
  dev?: string;
  weight?: number;
  flags?: string[];
}
export interface RouteJson extends HopJson {
  type: string;
  dst: string;
  table?: string;
  protocol: string;
  metric?: number;
  prefsrc?: string;
  nhid?: number;
  nexthops?: HopJson[];
}
export interface NexthopJson extends HopJson {
  id: number;
  group?: { id: number; weight?: number }[];
  type?: string;
}
export interface RuleJson {
  priority: number;
  src: string;
  srclen?: number;
  dst?: string;
  dstlen?: number;
  table?: string;
}

export function parseLink(json: LinkJson, neighbours: readonly NeighbourJson[]): Link {
  const { info_kind: kind = '', info_data: data = {} } = json.linkinfo ?? {};
  return {
    name: json.ifname,
    kind: json.flags.includes('LOOPBACK') ? 'loopback' : kind,
    up: json.flags.includes('UP'),
    mtu: json.mtu,
    ...(json.address === undefined ? {} : { mac: json.address }),
    ...parseFlags(json.flags),
    ...tunnelOf({ kind })?.read?.(data),
    hook: false,
    addresses: (json.addr_info ?? []).filter(({ family }) => family === 'inet').map(parseLinkAddress),
    neighbours: neighbours.filter(({ dev, dst }) => dev === json.ifname && isIPv4(dst)).map(parseNeighbour),
  };
}

function parseFlags(flags: readonly string[]): Pick<Link, 'arp' | 'multicast'> {
  const arp = !flags.includes('NOARP') && !flags.includes('LOOPBACK');
  return { ...(arp ? { arp } : {}), ...(flags.includes('MULTICAST') ? { multicast: true } : {}) };
}

function parseLinkAddress({ local, prefixlen, broadcast, noprefixroute }: AddressJson): Address {
  const bare = noprefixroute === true;
  return { address: local, length: prefixlen, ...(broadcast === undefined ? {} : { broadcast }), bare };
}

function parseNeighbour({ dst, lladdr }: NeighbourJson): Neighbour {
  return { address: dst, mac: lladdr ?? '' };
}

/** The types that decide where packets go, by the kernel's numbers (rtnetlink.h). */
export const routeTypes: ReadonlyMap<number, RouteType> = new Map([
  [1, 'unicast'],
  [6, 'blackhole'],
  [7, 'unreachable'],
  [8, 'prohibit'],
]);

/**
 * Returns the entries that decide where packets go. `table`: the table of entries that do not name one. With `byId`
 * entries that use a nexthop object keep its id; otherwise they get the next hops that it stands for.
 */
export function parseRoutes(list: readonly RouteJson[], table: number, byId: boolean): Map<string, KernelRoute> {
  const routes = new Map<string, KernelRoute>();
  for (const json of list) {
    const type = routeTypes.get(Number(json.type));
    if (type === undefined) continue;
    addRoute(routes, parseRoute(json, type, table, byId));
  }
  return routes;
}

/** Adds an entry as read, in the order in which the kernel uses them. */
export function addRoute(routes: Map<string, KernelRoute>, route: KernelRoute): void {
  let key = routeKey(route);
  // `ip route append` makes a second one; the kernel uses the first.
  while (routes.has(key)) key += ' again';
  routes.set(key, route);
}

function parseRoute(json: RouteJson, type: RouteType, table: number, byId: boolean): KernelRoute {
  const { dst, metric, prefsrc, nhid, protocol } = json;
  const hops = json.nexthops ?? (json.dev === undefined ? [] : [json]);
  const usesId = byId && nhid !== undefined;
  return {
    prefix: parseDestination(dst),
    type,
    nexthops: usesId || type !== 'unicast' ? [] : hops.map(parseHop),
    ...(usesId ? { nexthopId: nhid } : {}),
    ...(metric === undefined ? {} : { metric }),
    ...(prefsrc === undefined ? {} : { source: prefsrc }),
    protocol: Number(protocol),
    table: json.table === undefined ? table : Number(json.table),
    onlink: hops.some(({ flags }) => flags?.includes('onlink')),
  };
}

function parseHop({ dev, gateway, weight }: HopJson): RouteNexthop {
  return { interface: dev ?? '', ...(gateway === undefined ? {} : { via: gateway }), weight: weight ?? 1 };
}

/**
 * Parses `default`, a prefix or a single address, as `ip` prints them. A rule may have host bits, which mean nothing.
 */
export function prefixOf(text: string): Prefix {
  const [base = '', length = '32'] = parseDestination(text).split('/');
  return { base: maskTo(parseAddress(base), Number(length)), length: Number(length) };
}

/** Expands the default route and hosts, which `ip` shortens. */
function parseDestination(dst: string): string {
  if (dst === 'default') return '0.0.0.0/0';
  return dst.includes('/') ? dst : `${dst}/32`;
}

/** Returns the nexthops by id. The lead of a group is part of the group. */
export function parseNexthops(list: readonly NexthopJson[]): Map<number, Nexthop> {
  const ways = new Map(list.filter(({ group }) => group === undefined).map((json) => [json.id, parseWay(json)]));
  const groups = list.flatMap(({ id, group, type }) => {
    const entries = group?.map((entry) => ({ id: entry.id, weight: entry.weight ?? 1 }));
    return entries === undefined ? [] : [{ id, resilient: type === 'resilient', entries }];
  });
  const leads = new Map<number, Way>();
  for (const { id, entries } of groups) {
    const lead = leadNexthop(id);
    const way = ways.get(lead);
    if (way === undefined || !entries.some((entry) => entry.id === lead)) continue;
    leads.set(id, way);
    ways.delete(lead);
  }
  const ids = new Map([...ways].map(([id, way]) => [wayKey(way), id]));
  const active = (way: Way) => ids.get(wayKey(way));
  return new Map<number, Nexthop>([
    ...[...ways].map(([id, way]) => [id, { id, ...way }] as const),
    ...groups.map((group) => [group.id, groupFound(group, leads.get(group.id), active)] as const),
  ]);
}

function parseWay({ gateway, dev, flags }: NexthopJson): Way {
  const via = gateway === undefined ? {} : { via: gateway };
  return { ...via, interface: dev ?? '', onlink: flags?.includes('onlink') ?? false };
}

function wayKey({ via, interface: name, onlink }: Way): string {
  return `${via} ${name} ${onlink}`;
}

/** Whether a rule sends traffic from or to the subnet to the table. */
export function ruleDirection(rule: RuleJson, vnet: string, table: number): 'from' | 'to' | undefined {
  if (Number(rule.table) !== table) return undefined;
  const source = rule.src === 'all' ? undefined : `${rule.src}/${rule.srclen ?? 32}`;
  const destination = rule.dst === undefined ? undefined : `${rule.dst}/${rule.dstlen ?? 32}`;
  if (source === vnet && destination === undefined) return 'from';
  return source === undefined && destination === vnet ? 'to' : undefined;
}

function isIPv4(address: string): boolean {
  return address.includes('.');
}
