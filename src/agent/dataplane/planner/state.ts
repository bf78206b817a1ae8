/** The part of the kernel's network state that belongs to a slice, as the planner sees it. Immutable. */
import { formatPrefix, maskTo, type Prefix, parseAddress } from '../../../model/address.ts';
import type { Route } from '../../../model/route.ts';
import type { DaemonReport } from '../../../vsys/daemon.ts';
import type { Machine, MachineReport } from '../../../vsys/machine.ts';
import type { Daemon, ForwardSide } from '../../../vsys/operations.ts';

/** The node's own network stack, in place of a namespace name. */
export const ownStack = '';

/** The mark of what the kernel creates itself with an address. */
export const kernelProtocol = 2;
/**
 * The marks of the agent's own entries in the kernel (`proto`; numbers that /etc/iproute2/rt_protos leaves free): those
 * that belong to an interface or to the rules, which only `vif_down` and `rule_down` remove, and those of `vroute`.
 */
export const fixtureProtocol = 245;
export const routeProtocol = 246;

export const mainTable = 254;

/** Metric of the last entry of the slice's table, which rejects what no other entry matches. */
export const rejectMetric = 4_278_198_272;

export interface KernelState {
  /** Network stacks by namespace: the node's own under `ownStack`, and one per router namespace. */
  readonly stacks: ReadonlyMap<string, Stack>;
  /** Nexthops of the node's own stack. */
  readonly nexthops: ReadonlyMap<number, Nexthop>;
  readonly rules: ReadonlySet<RuleDirection>;
  /** By `forwardKey`; absent in the kernel plane, which has none. */
  readonly forwards?: ReadonlyMap<string, ForwardSide>;
  /** The routing daemons of router namespaces, by namespace; absent in a plane that has none. */
  readonly daemons?: ReadonlyMap<string, KnownDaemon>;
  /** The virtual machines of router namespaces, by namespace; absent in a plane that has none. */
  readonly machines?: ReadonlyMap<string, KnownMachine>;
  /** Absent if the node cannot filter. */
  readonly filter?: TunnelFilter;
  /** All addresses of the node, whoever added them. */
  readonly ownAddresses?: readonly OwnAddress[];
}

/** A routing daemon that a namespace must have, and how it is. */
export interface KnownDaemon extends Omit<DaemonReport, 'namespace'> {
  readonly daemon: Daemon;
}

/** A virtual machine that a namespace must have, and how it is. */
export interface KnownMachine extends Omit<MachineReport, 'namespace' | 'image' | 'memoryMib' | 'ports'> {
  readonly machine: Machine;
}

/** Which tunnel packets the node accepts. */
export interface TunnelFilter {
  /** `damaged`: there is a table, but without the rules of this version. */
  readonly table: 'none' | 'complete' | 'damaged';
  /** The accepted source addresses, by `tunnelKey`. */
  readonly remotes: ReadonlyMap<string, ReadonlySet<string>>;
  /**
   * Tunnels that accept packets from any sender until their remote has been heard: they ran before there was a filter.
   */
  readonly watched: ReadonlySet<string>;
  /** Who recently sent packets, by `tunnelKey`: to a watched tunnel, or to another one that did not accept them. */
  readonly heard: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Addresses that cannot belong to another node, and a description for messages. */
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
  readonly control?: Control;
  readonly controlCounts?: ControlCounts;
  /** The names of the rules that join links with a machine (ports.ts); absent if there are none. */
  readonly portRules?: readonly string[];
}

export type Settings = ReadonlyMap<string, string>;

export interface Link {
  readonly name: string;
  /** The kernel's name for it; empty for hardware. */
  readonly kind: string;
  readonly up: boolean;
  readonly mtu: number;
  /** Absent if devices of the kind have none. */
  readonly mac?: string;
  /** Whether it takes part in ARP, as those made by agents of earlier versions do. Neighbours are permanent entries. */
  readonly arp?: boolean;
  /** Whether programs consider it to carry multicast; they then send their queries and announcements there. */
  readonly multicast?: boolean;
  readonly vxlan?: VxlanEnds;
  readonly udp?: UdpEnds;
  /** Present in an `ifb` device that is a gate. */
  readonly gate?: Gate;
  /**
   * Whether filters can be attached to incoming packets. The kernel drops outgoing packets while it adds or removes
   * this (`Draft.addHook`).
   */
  readonly hook: boolean;
  /** Name of the device that takes all incoming packets first. */
  readonly redirect?: string;
  /** The other end of a veth pair, if it also belongs to the slice. */
  readonly peer?: Place;
  readonly addresses: readonly Address[];
  readonly neighbours: readonly Neighbour[];
}

/** A gate. While closed it holds packets, up to `limitBytes`. */
export interface Gate {
  readonly limitBytes: number;
  readonly closed: boolean;
  /** Whether an open one lets packets out at a pace. */
  readonly paced?: true;
}

/** What becomes of OSPF packets that arrive at a router; see control.ts. */
export interface Control {
  /** The interfaces where they arrive, sorted. */
  readonly tunnels: readonly string[];
  /** Where copies go. */
  readonly sendTo?: string;
  /** Whether they pass the gate. */
  readonly gated: boolean;
}

/** Since it was set up. */
export interface ControlCounts {
  readonly sent: number;
  /** By interface. */
  readonly held: ReadonlyMap<string, number>;
  readonly dropped: number;
  /** What is in the gate. */
  readonly waitingBytes: number;
}

export interface VxlanEnds {
  readonly vni: number;
  readonly remote: string;
  /** Another address whose packets are accepted, on a node with a packet filter. */
  readonly alsoFrom?: string;
  /** The MAC address whose frames go to `alsoFrom`, on a node with a packet filter. */
  readonly alsoMac?: string;
  /** Source address of sent packets; if absent, the kernel takes the one of the route to `remote`. */
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
  /** Another sender whose packets are accepted. */
  readonly alsoFrom?: { readonly address: string; readonly port: number };
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
  /** Whether the kernel created no route for it. */
  readonly bare: boolean;
}

/** A permanent entry. */
export interface Neighbour {
  readonly address: string;
  readonly mac: string;
}

/** A route with numbers where `ip` has names: `ip` 6.1 confuses them when names and numbers alternate in a batch. */
export interface KernelRoute extends Omit<Route, 'protocol'> {
  readonly table: number;
  readonly protocol: number;
  /** Whether the next hop is assumed to be on the link, whatever the table says. */
  readonly onlink: boolean;
}

export type Nexthop = SingleNexthop | NexthopGroup;

export interface SingleNexthop {
  readonly id: number;
  readonly via?: string;
  readonly interface: string;
  readonly onlink: boolean;
}

/**
 * Sends all traffic to its active member; packets that arrive from the other members also pass the reverse-path check.
 * See `group.ts`.
 */
export interface NexthopGroup {
  readonly id: number;
  readonly resilient: boolean;
  readonly members: readonly number[];
  /** Absent if the lead is not a copy of a member. */
  readonly active?: number;
  /** Where the nexthop `leadNexthop(id)` leads, if it is an entry; without it the weights decide what is active. */
  readonly lead?: Way;
  /** The entries in the kernel: the lead, and the members unless there is only one. */
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly id: number;
  readonly weight: number;
}

export type Way = Omit<SingleNexthop, 'id'>;

export type RuleDirection = 'from' | 'to';

/** Returns the key that the kernel allows once in a stack. */
export function routeKey({ table, prefix, metric = 0 }: Pick<KernelRoute, 'table' | 'prefix' | 'metric'>): string {
  return `${table} ${prefix} ${metric}`;
}

/** The kernel's own entry, in the main table, for the subnet of an address in a router's namespace. */
export function connectedRoute(name: string, { address, length }: Pick<Address, 'address' | 'length'>): KernelRoute {
  return {
    prefix: formatPrefix({ base: maskTo(parseAddress(address), length), length }),
    type: 'unicast',
    nexthops: [{ interface: name, weight: 1 }],
    source: address,
    protocol: kernelProtocol,
    table: mainTable,
    onlink: false,
  };
}

export function isGroup(nexthop: Nexthop): nexthop is NexthopGroup {
  return 'members' in nexthop;
}

/** Names what can be there once: a forward's side by where it receives. */
export function forwardKey(
  side: { side: 'listen'; localPort: number } | Extract<ForwardSide, { side: 'deliver' }>,
): string {
  return side.side === 'listen' ? `127.0.0.1:${side.localPort}` : `${side.address}:${side.port}`;
}

/** Returns a link as the kernel creates it: down, and with nothing on it. */
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

/**
 * Whether nothing of the slice exists, as vsys/presence.ts defines it; its filter, and what depends on an interface, go
 * with the interfaces.
 */
export function isEmpty({ stacks, rules }: KernelState): boolean {
  const namespaces = [...stacks.keys()].filter((namespace) => namespace !== ownStack);
  const links = stacks.get(ownStack)?.links.size ?? 0;
  return namespaces.length + rules.size + links === 0;
}

/** Describes an interface in messages. */
export function describePlace({ namespace, name }: Place): string {
  return `interface '${name}'${describeStack(namespace)}`;
}

export function describeStack(namespace: string): string {
  return namespace === ownStack ? '' : ` in namespace '${namespace}'`;
}
