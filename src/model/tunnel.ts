/** The kinds of tunnels: the one table that says in what they differ. CONTRIBUTING.md says what a further kind takes. */

export interface TunnelDescriptor {
  /** Bytes that it adds to a packet of the VN, with all outer headers. */
  readonly overheadBytes: number;
  /** What it carries: Ethernet frames (2) or IP packets (3). */
  readonly layer: 2 | 3;
  /** What the agents at its ends must be able to do. */
  readonly feature?: string;
  readonly carriedBy: Carrier;
  /** Whether its ends have MAC addresses, so that each needs the other's. */
  readonly hasMac: boolean;
}

/** What takes its packets to the other node; nothing: both ends are on one node. `protocol`: number in the IP header. */
type Carrier =
  | { readonly over: 'udp'; readonly port?: number }
  | { readonly over: 'ip'; readonly protocol: number }
  | { readonly over: 'nothing' };

export const tunnelKinds = {
  /** VXLAN (RFC 7348). Overhead: outer IPv4 (20), UDP (8), VXLAN (8), inner Ethernet (14). */
  vxlan: { overheadBytes: 50, layer: 2, feature: 'vxlan', carriedBy: { over: 'udp', port: 4789 }, hasMac: true },
  /** Between virtual routers in user space. Overhead: outer IPv4 (20), UDP (8), header (12). Each node chooses its port. */
  udp: { overheadBytes: 40, layer: 3, feature: 'udp-tunnel', carriedBy: { over: 'udp' }, hasMac: false },
  /** A pair of interfaces on one node. */
  local: { overheadBytes: 0, layer: 2, carriedBy: { over: 'nothing' }, hasMac: true },
} as const satisfies Readonly<Record<string, TunnelDescriptor>>;

export type TunnelKind = keyof typeof tunnelKinds;
/** Those that join two nodes. */
export type NodeTunnelKind = Exclude<TunnelKind, 'local'>;
/** Names of the agents' features that some kind needs. */
export type TunnelFeature = Extract<(typeof tunnelKinds)[TunnelKind], { feature: string }>['feature'];

export const tunnelKindNames = Object.keys(tunnelKinds) as TunnelKind[];

export function tunnelDescriptor(kind: TunnelKind): TunnelDescriptor & { readonly feature?: TunnelFeature } {
  return tunnelKinds[kind];
}

export function isTunnelKind(text: string): text is TunnelKind {
  return Object.hasOwn(tunnelKinds, text);
}

/** Whether its packets go from one node to another. */
export function joinsNodes(kind: TunnelKind): boolean {
  return tunnelDescriptor(kind).carriedBy.over !== 'nothing';
}
