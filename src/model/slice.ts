import type { Prefix } from './address.ts';
import type { Routing } from './daemon.ts';
import { VnmError } from './errors.ts';
import type { GatewayName, NodeName, RouterName } from './names.ts';
import { onceFor } from './once.ts';
import type { Router } from './router.ts';
import type { SshWay } from './ssh-way.ts';

/** A slice: a name, a private subnet and the substrate nodes it may use; the VNs on it and their placements. */
export interface Slice {
  readonly name: string;
  /**
   * 1 to 4095: keeps slices on one node apart in names and ids. A large slice also takes the next ones (`sliceIds`).
   * Derived from the slice's name if not in the file.
   */
  readonly number: number;
  readonly vnet: Prefix;
  readonly nodes: ReadonlyMap<NodeName, SubstrateNode>;
  readonly latency: LatencyMap;
  /** The NTP servers for the controller and the nodes, each `host` or `host:port`. */
  readonly ntp: readonly string[];
  /** Whether the service repairs differences on the nodes. */
  readonly repair: boolean;
  /** At least one. A file with `vn:` has one, a file with `vns:` one or more. */
  readonly vns: readonly VirtualNetwork[];
}

/** A host reached over SSH; without `host`, a node on the local testbed. */
export interface SubstrateNode {
  readonly name: NodeName;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  /** The path of a private key file; `~/` is the user's home. */
  readonly key?: string;
  /** The IPv4 address that other nodes send tunnel packets to, if not `host`. */
  readonly address?: string;
  /** In seconds, the unit of all time limits: see patience.ts. */
  readonly patience?: number;
  /** Absent on a node with the kernel data plane. A node on the local testbed has the testbed's. */
  readonly dataplane?: 'userspace';
  /** How SSH reaches it, where the file says something about that. */
  readonly ssh?: SshWay;
}

/** One-way latencies between substrate nodes in ms, as the slice file declares them. */
export interface LatencyMap {
  readonly defaultMs: number;
  /** `from` -> `to` -> ms, with both directions. */
  readonly linksMs: ReadonlyMap<NodeName, ReadonlyMap<NodeName, number>>;
}

export interface VirtualNetwork {
  readonly name: string;
  /** Links, gateways and placements refer to routers by name. */
  readonly routers: readonly Router[];
  readonly links: readonly VirtualLink[];
  readonly gateways: readonly Gateway[];
  readonly endHosts: readonly EndHost[];
  readonly flows: readonly Flow[];
  readonly placements: ReadonlyMap<string, Placement>;
  /** The largest packets that it carries, in bytes; undefined: what its narrowest tunnel carries. */
  readonly mtu?: number;
  /** Absent if its routers are static, or only do what their own configuration says. */
  readonly routing?: Routing;
}

export interface VirtualLink {
  readonly from: RouterName;
  readonly to: RouterName;
  readonly cost: number;
}

export interface Gateway {
  readonly name: GatewayName;
  readonly node: NodeName;
  readonly router: RouterName;
}

interface EndHost {
  readonly name: string;
  readonly node: NodeName;
  readonly gateway: GatewayName;
  /** Absent if there are none. */
  readonly forwards?: readonly Forward[];
}

/** Leads a UDP port of 127.0.0.1 on an end host's node to a port of another end host of the VN. */
export interface Forward {
  readonly port: number;
  readonly to: string;
  readonly toPort: number;
}

/** Directed traffic between two end hosts. */
export interface Flow {
  readonly from: string;
  readonly to: string;
  /** Payload bits per second, as iperf counts. */
  readonly rateBps: number;
  readonly priority: number;
  /** UDP payload bytes per packet; undefined: 1470, or the largest that fits the tunnels. */
  readonly payloadBytes?: number;
}

/** Virtual router -> substrate node. */
export type Placement = ReadonlyMap<RouterName, NodeName>;

/** A placement and its name in the slice file. A VN may be on an unnamed one after a single router has moved. */
export interface NamedPlacement {
  readonly name: string | null;
  readonly placement: Placement;
}

/** Whether two placements put all routers on the same nodes; two names may stand for the same placement. */
export function isSamePlacement(one: Placement, other: Placement): boolean {
  return one.size === other.size && [...one].every(([router, node]) => other.get(router) === node);
}

/** Whether a name stands for this placement in the current slice file. */
export function namesPlacement({ placements }: VirtualNetwork, name: string | null, placement: Placement): boolean {
  const named = name === null ? undefined : placements.get(name);
  return named !== undefined && isSamePlacement(named, placement);
}

/** Describes a placement for people: its name in quotes, or the node of each router. */
export function describePlacement({ name, placement }: NamedPlacement): string {
  if (name !== null) return `'${name}'`;
  return `(${[...placement].map(([router, node]) => `${router} on ${node}`).join(', ')})`;
}

/** The gateway with this name. Throws VnmError `not-found`. */
export function gatewayOf(vn: VirtualNetwork, name: GatewayName): Gateway {
  const gateway = gatewaysByName(vn).get(name);
  if (gateway === undefined) throw new VnmError('not-found', `VN '${vn.name}' has no gateway '${name}'`);
  return gateway;
}

const gatewaysByName = onceFor(({ gateways }: VirtualNetwork) => new Map(gateways.map((one) => [one.name, one])));

/** The declared one-way latency from one node to another in ms; 0 on the same node. */
export function declaredLatencyMs(latency: LatencyMap, from: NodeName, to: NodeName): number {
  if (from === to) return 0;
  return latency.linksMs.get(from)?.get(to) ?? latency.defaultMs;
}

/** The parts of a VN that need names, ids and addresses. */
export interface VnCounts {
  readonly links: { readonly length: number };
  readonly gateways: { readonly length: number };
  readonly endHosts: { readonly length: number };
}

/** The default number of a slice that takes `count` numbers: FNV-1a of the name, folded into 1..4096 - count. */
export function defaultSliceNumber(name: string, count = 1): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return (hash % (4096 - count)) + 1;
}
