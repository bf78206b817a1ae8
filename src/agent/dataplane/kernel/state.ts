/** What of the kernel's network state belongs to a slice, as the planner sees it. Immutable. */
import type { Prefix } from '../../../model/address.ts';
import type { Route } from '../../../model/route.ts';
import { ownStack } from './ip.ts';

/** What the kernel makes by itself with an address. */
export const kernelProtocol = 2;
/**
 * How entries made here are marked in the kernel (`proto`; numbers that /etc/iproute2/rt_protos leaves free): those that belong
 * to an interface or to the rules, which only `vif_down` and `rule_down` remove, and those of `vroute`.
 */
export const fixtureProtocol = 245;
export const routeProtocol = 246;

export const mainTable = 254;

/** Metric of the slice's table's last entry, which rejects what no other entry knows. */
export const rejectMetric = 4_278_198_272;

export interface KernelState {
  /** Network stacks by namespace: the node's own under `ownStack`, and one per router namespace. */
  readonly stacks: ReadonlyMap<string, Stack>;
  /** Of the node's own stack. */
  readonly nexthops: ReadonlyMap<number, Nexthop>;
  readonly rules: ReadonlySet<RuleDirection>;
  /** Absent where the node cannot filter. */
  readonly filter?: TunnelFilter;
  /** Of the node, whoever gave them to it. */
  readonly ownAddresses?: readonly OwnAddress[];
}

/** Which tunnel packets the node takes. */
export interface TunnelFilter {
  /** `damaged`: there is one, but not with the rules of this version. */
  readonly table: 'none' | 'complete' | 'damaged';
  /** By `tunnelKey`, from where its packets may come. */
  readonly remotes: ReadonlyMap<string, ReadonlySet<string>>;
  /** Those of them that take packets from anybody until their remote has been heard: they ran before there was a filter. */
  readonly watched: ReadonlySet<string>;
  /** By `tunnelKey`, who sent packets of late: to a watched tunnel, or to another one that did not take them. */
  readonly heard: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Addresses that cannot be another node's, and what they are, for messages. */
export interface OwnAddress {
  readonly prefix: Prefix;
  readonly is: string;
  /** Whether the node can send from it. */
  readonly isSource?: boolean;
}

export interface Stack {
  readonly links: ReadonlyMap<string, Link>;
  /** By `routeKey`. */
  readonly routes: ReadonlyMap<string, KernelRoute>;
  /** Values of files below /proc/sys/net, as far as they were read. */
  readonly settings: Settings;
}

export type Settings = ReadonlyMap<string, string>;

export interface Link {
  readonly name: string;
  /** As the kernel calls it; empty for hardware. */
  readonly kind: string;
  readonly up: boolean;
  readonly mtu: number;
  /** Absent where devices of the kind have none. */
  readonly mac?: string;
  /** Whether it takes part in ARP, as those that agents of earlier versions made do. Neighbours are permanent entries. */
  readonly arp?: boolean;
  /** Whether programs take it for one that carries multicast; they then send their queries and announcements there. */
  readonly multicast?: boolean;
  readonly vxlan?: VxlanEnds;
  readonly udp?: UdpEnds;
  /** Of an `ifb` device that is a gate. */
  readonly gate?: Gate;
  /** Whether filters can be put to what comes in. The kernel drops what goes out while it adds or removes this (`Draft.addHook`). */
  readonly hook: boolean;
  /** Name of the device that takes what comes in, before anything else does. */
  readonly redirect?: string;
  /** The other end of a veth pair, if it is the slice's too. */
  readonly peer?: Place;
  readonly addresses: readonly Address[];
  readonly neighbours: readonly Neighbour[];
}

/** Closed it holds packets, up to so many bytes. */
export interface Gate {
  readonly limitBytes: number;
  readonly closed: boolean;
}

export interface VxlanEnds {
  readonly vni: number;
  readonly remote: string;
  /** Source of what is sent; else the kernel takes the one of the route to `remote`. */
  readonly local?: string;
  readonly port: number;
}

/** Of a tunnel of the userspace plane; see its header.ts. */
export interface UdpEnds {
  readonly vni: number;
  readonly instance: number;
  readonly remote: string;
  /** Of the remote. */
  readonly port: number;
  readonly key: string;
}

/** An interface in a stack. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
}

export interface Address {
  readonly address: string;
  readonly length: number;
  readonly broadcast?: string;
  /** The kernel made no route for it. */
  readonly bare: boolean;
}

/** A permanent entry. */
export interface Neighbour {
  readonly address: string;
  readonly mac: string;
}

/** Numbers where `ip` has names: `ip` 6.1 confuses them when names and numbers alternate in a batch. */
export interface KernelRoute extends Omit<Route, 'protocol'> {
  readonly table: number;
  readonly protocol: number;
  /** The next hop is taken to be on the link, whatever the table says. */
  readonly onlink: boolean;
}

export type Nexthop = SingleNexthop | NexthopGroup;

export interface SingleNexthop {
  readonly id: number;
  readonly via?: string;
  readonly interface: string;
  readonly onlink: boolean;
}

/** Leads all traffic to its active member; what comes from the others passes the reverse-path check, too. See `group.ts`. */
export interface NexthopGroup {
  readonly id: number;
  readonly resilient: boolean;
  readonly members: readonly number[];
  /** Absent where the lead is no copy of a member. */
  readonly active?: number;
  /** Where the nexthop `leadNexthop(id)` leads, if it is an entry; without that the weights say what is active. */
  readonly lead?: Way;
  /** As the kernel has them: the lead, and the members unless there is one only. */
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly id: number;
  readonly weight: number;
}

export type Way = Omit<SingleNexthop, 'id'>;

export type RuleDirection = 'from' | 'to';

/** What the kernel allows once in a stack. */
export function routeKey({ table, prefix, metric = 0 }: Pick<KernelRoute, 'table' | 'prefix' | 'metric'>): string {
  return `${table} ${prefix} ${metric}`;
}

export function isGroup(nexthop: Nexthop): nexthop is NexthopGroup {
  return 'members' in nexthop;
}

/** As the kernel makes it: down, and with nothing on it. */
export function newLink(name: string, kind: string, mac: string | undefined, mtu: number): Link {
  const address = mac === undefined ? {} : { mac };
  return { name, kind, ...address, mtu, up: false, hook: false, addresses: [], neighbours: [] };
}

export function placeOf(operation: { interface: string; namespace?: string | undefined }): Place {
  return { namespace: operation.namespace ?? ownStack, name: operation.interface };
}

export function linkAt(state: Pick<KernelState, 'stacks'>, { namespace, name }: Place): Link | undefined {
  return state.stacks.get(namespace)?.links.get(name);
}

/** Whether there is nothing of the slice, as vsys/presence.ts means it; its filter, and what is over an interface, go with the interfaces. */
export function isEmpty({ stacks, rules }: KernelState): boolean {
  const namespaces = [...stacks.keys()].filter((namespace) => namespace !== ownStack);
  const links = stacks.get(ownStack)?.links.size ?? 0;
  return namespaces.length + rules.size + links === 0;
}

/** How messages call an interface. */
export function describePlace({ namespace, name }: Place): string {
  return `interface '${name}'${describeStack(namespace)}`;
}

export function describeStack(namespace: string): string {
  return namespace === ownStack ? '' : ` in namespace '${namespace}'`;
}
