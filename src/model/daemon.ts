/** What the slice file says about routing daemons. */
import type { RouterName } from './names.ts';

/** FRR (zebra, ospfd, bgpd, staticd), or BIRD 2. */
export type DaemonKind = 'frr' | 'bird';

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

/** The protocols of the routes that a kind's daemons put into the kernel, as Linux's rtnetlink.h names them. */
const kernelProtocols: Readonly<Record<DaemonKind, readonly string[]>> = {
  bird: ['bird'],
  frr: ['zebra', 'bgp', 'ospf', 'zstatic'],
};

/** Whether a kernel route with this protocol is one of the router's daemon, which adds it again by itself. */
export function isDaemonProtocol(kind: DaemonKind, protocol: string): boolean {
  return kernelProtocols[kind].includes(protocol);
}
