/** The kinds of tunnels, in one table with all their differences. CONTRIBUTING.md says how to add a kind. */

export interface TunnelDescriptor {
  /** Bytes added to a packet of the VN, all outer headers included. */
  readonly overheadBytes: number;
  /** The layer of the payload: Ethernet frames (2) or IP packets (3). */
  readonly layer: 2 | 3;
  /** The feature that the agents at both ends need. */
  readonly feature?: string;
  readonly carriedBy: Carrier;
  /** Whether the ends have MAC addresses, and so need each other's. */
  readonly hasMac: boolean;
}

/**
 * What carries the packets to the other node; `nothing`: both ends are on one node. `protocol`: number in the IP
 * header.
 */
type Carrier =
  | { readonly over: 'udp'; readonly port?: number }
  | { readonly over: 'ip'; readonly protocol: number }
  | { readonly over: 'nothing' };

export const tunnelKinds = {
  /** VXLAN (RFC 7348). Overhead: outer IPv4 (20), UDP (8), VXLAN (8), inner Ethernet (14). */
  vxlan: { overheadBytes: 50, layer: 2, feature: 'vxlan', carriedBy: { over: 'udp', port: 4789 }, hasMac: true },
  /**
   * Between virtual routers in user space. Overhead: outer IPv4 (20), UDP (8), header (12). Each node chooses its port.
   */
  udp: { overheadBytes: 40, layer: 3, feature: 'udp-tunnel', carriedBy: { over: 'udp' }, hasMac: false },
  /** A pair of interfaces on one node. */
  local: { overheadBytes: 0, layer: 2, carriedBy: { over: 'nothing' }, hasMac: true },
} as const satisfies Readonly<Record<string, TunnelDescriptor>>;

export type TunnelKind = keyof typeof tunnelKinds;
/** The kinds that join two nodes. */
export type NodeTunnelKind = Exclude<TunnelKind, 'local'>;
/** The agent features that tunnel kinds need. */
export type TunnelFeature = Extract<(typeof tunnelKinds)[TunnelKind], { feature: string }>['feature'];

export const tunnelKindNames = Object.keys(tunnelKinds) as TunnelKind[];

export function tunnelDescriptor(kind: TunnelKind): TunnelDescriptor & { readonly feature?: TunnelFeature } {
  return tunnelKinds[kind];
}

export function isTunnelKind(text: string): text is TunnelKind {
  return Object.hasOwn(tunnelKinds, text);
}

/** Whether the packets of this kind go from one node to another. */
export function joinsNodes(kind: TunnelKind): boolean {
  return tunnelDescriptor(kind).carriedBy.over !== 'nothing';
}
