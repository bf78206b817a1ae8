/** A forwarding entry of a virtual router or of a slice's table, as in the kernel. */
export interface Route {
  /** `a.b.c.d/n`; a host is `/32`, the default route `0.0.0.0/0`. */
  readonly prefix: string;
  readonly type: RouteType;
  /** Empty for a non-unicast route or one that uses a nexthop group. */
  readonly nexthops: readonly RouteNexthop[];
  /** The id of a nexthop object (a group or a single nexthop). */
  readonly nexthopId?: number;
  readonly metric?: number;
  /** The preferred source address. */
  readonly source?: string;
  /** `kernel` for routes that the kernel adds with an address; otherwise as `ip` names it, `boot` if it shows none. */
  readonly protocol: string;
}

export type RouteType = 'unicast' | 'blackhole' | 'unreachable' | 'prohibit';

export interface RouteNexthop {
  readonly interface: string;
  /** Absent for a destination on the link. */
  readonly via?: string;
  /** 1 for a single next hop. */
  readonly weight: number;
}

/** Strict, feasible-path and loose unicast reverse-path forwarding (RFC 3704). */
export type UrpfMode = 'strict' | 'feasible' | 'loose';
