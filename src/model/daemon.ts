/** What the slice file says about routing daemons. */
import type { RouterName } from './names.ts';

/** FRR (zebra, ospfd, bgpd, staticd), or BIRD 2. */
export type DaemonKind = 'frr' | 'bird';

/** A program that a router runs on its node: a routing daemon, or Open vSwitch. */
export type RouterProgram = DaemonKind | 'openvswitch';

/** How the routers of a VN learn their routes from each other. */
export interface Routing {
  readonly protocol: 'ospf';
  /** Seconds between two hello packets (RFC 2328, HelloInterval). */
  readonly helloS: number;
  /** Seconds without a hello packet after which a neighbour counts as gone (RouterDeadInterval). */
  readonly deadS: number;
}

export const routingProtocols = ['ospf'] as const satisfies readonly Routing['protocol'][];

/** The defaults of RFC 2328, appendix C.3. */
export const defaultHelloS = 10;
export const defaultDeadS = 40;

/** The settings of a router with a routing daemon. */
export interface DaemonConfig {
  /** The user's own statements, which are added to the generated configuration. */
  readonly text?: string;
  readonly bgp?: Bgp;
}

export interface Bgp {
  /** The number of the router's autonomous system. */
  readonly as: number;
  readonly neighbours: readonly BgpNeighbour[];
}

/** A router at the other end of a link, or a program at an end host behind a gateway of the router. */
export type BgpNeighbour = { readonly router: RouterName } | { readonly address: string; readonly as: number };

/** The numbers of autonomous systems (RFC 6793, RFC 7300). */
export const asRange = [1, 4_294_967_294] as const;

/** The costs of an OSPF interface (RFC 2328, appendix C.3). */
export const ospfCostRange = [1, 65_535] as const;

/** A configuration of its own that a router may have, in bytes. */
export const maxConfigBytes = 256 * 1024;

/**
 * The protocols of the routes that a kind's daemons put into the kernel: names and numbers of Linux's rtnetlink.h and
 * of FRR's zebra.
 */
const kernelProtocols = {
  bird: { bird: 12 },
  frr: { zebra: 11, bgp: 186, ospf: 188, zstatic: 196 },
} as const satisfies Readonly<Record<DaemonKind, Readonly<Record<string, number>>>>;

/** A protocol of routes that a daemon puts into the kernel. */
export type DaemonProtocol = { [Kind in DaemonKind]: keyof (typeof kernelProtocols)[Kind] }[DaemonKind];

const protocolNumbers: Readonly<Record<DaemonProtocol, number>> = { ...kernelProtocols.bird, ...kernelProtocols.frr };

export const daemonProtocols = Object.keys(protocolNumbers) as [DaemonProtocol, ...DaemonProtocol[]];

export function daemonProtocolNumber(protocol: DaemonProtocol): number {
  return protocolNumbers[protocol];
}

/** Whether a kernel route with this protocol is one of the router's daemon, which adds it again by itself. */
export function isDaemonProtocol(kind: DaemonKind, protocol: string): protocol is DaemonProtocol {
  return Object.hasOwn(kernelProtocols[kind], protocol);
}
