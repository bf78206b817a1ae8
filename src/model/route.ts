/** One forwarding entry of a virtual router or of a slice's table, as the kernel has it. */
export interface Route {
  /** `a.b.c.d/n`; a host is `/32`, the default route `0.0.0.0/0`. */
  readonly prefix: string;
  readonly type: RouteType;
  /** Empty for a non-unicast route or one that uses a nexthop group. */
  readonly nexthops: readonly RouteNexthop[];
  /** Nexthop object id (a group, or a single one). */
  readonly nexthopId?: number;
  readonly metric?: number;
  /** Preferred source address. */
  readonly source?: string;
  /** `kernel` for the entries that come with an address, else as `ip` names it; entries without one are `boot`. */
  readonly protocol: string;
}

export type RouteType = 'unicast' | 'blackhole' | 'unreachable' | 'prohibit';

export interface RouteNexthop {
  readonly interface: string;
  /** Absent for a destination on the link itself. */
  readonly via?: string;
  /** 1 unless the route has several next hops. */
  readonly weight: number;
}

/** Strict, feasible-path and loose unicast reverse-path forwarding (RFC 3704). */
export type UrpfMode = 'strict' | 'feasible' | 'loose';
