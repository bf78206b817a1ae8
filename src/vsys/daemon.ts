/** Routing daemons and switches of routers, as agents report them. */
import type { DaemonKind, RouterProgram } from '../model/daemon.ts';

export const routingDaemonKinds = ['bird', 'frr'] as const satisfies readonly DaemonKind[];

export const daemonKinds = [...routingDaemonKinds, 'openvswitch'] as const satisfies readonly RouterProgram[];

export function isDaemonKind(name: string): name is RouterProgram {
  return (daemonKinds as readonly string[]).includes(name);
}

/** A daemon of a router's namespace; that of a switch is Open vSwitch. */
export interface DaemonReport {
  readonly namespace: string;
  readonly kind: RouterProgram;
  /**
   * `restarting`: it ended and starts again soon; `failed`: it ended too often, and stays down; `moving`: it is stopped
   * while its copy begins on another node, or is that copy.
   */
  readonly state: 'running' | 'restarting' | 'failed' | 'moving';
  /** How often it was started again since its agent started. */
  readonly restarts: number;
  /** Absent until it was asked. */
  readonly version?: string;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

/** What a daemon knows of its neighbours, and where its routes are from. */
export interface DaemonState {
  readonly adjacencies: readonly Adjacency[];
  /**
   * Number of routes in the daemon's tables, by origin: `ospf`, `bgp`, `static`, `kernel`, `connected`, ...; of a
   * switch its entries, as `openflow`.
   */
  readonly routes: Readonly<Record<string, number>>;
}

export interface Adjacency {
  readonly protocol: 'ospf' | 'bgp';
  /** The neighbour's router id; for BGP absent until the session is established. */
  readonly neighbour?: string;
  readonly address: string;
  /** Absent for BGP. */
  readonly interface?: string;
  /** In the daemon's words, such as `Full/PtP` or `Established`. */
  readonly state: string;
  /** Whether routes are exchanged over it: OSPF `Full`, BGP `Established`. */
  readonly isUp: boolean;
}

/** Origins of routes (`protocol`) that routing daemons put into the kernel. They come and go with their daemon. */
const origins: ReadonlySet<string> = new Set([
  'zebra',
  'bird',
  'babel',
  'bgp',
  'isis',
  'ospf',
  'rip',
  'eigrp',
  'zstatic',
]);

/** Whether a route with this origin is a routing daemon's, in a namespace that has one. */
export function isDaemonRoute({ protocol }: { readonly protocol: string }): boolean {
  return origins.has(protocol);
}
