/** How much of a node a slice may use, as set in its policy on the node. */
export interface Limits {
  readonly namespaces: number;
  readonly tunnels: number;
  readonly routes: number;
  /** Routing daemons, one per router at most. */
  readonly daemons: number;
  /** Virtual machines, one per router at most. */
  readonly machines: number;
  /** The sum of the memory of the slice's machines, in MiB. */
  readonly machineMib: number;
  /** What the images of machines take on the disk, in MiB. */
  readonly imageMib: number;
  /** Armed sets of actions. */
  readonly armed: number;
  readonly streams: number;
  /** The sum of the payload bits per second that the agent sends as test traffic. */
  readonly trafficBps: number;
}

/** The defaults of a policy, meant for shared nodes. An administrator changes them with `agent install --limit`. */
export const sharedLimits: Limits = {
  namespaces: 64,
  tunnels: 1024,
  routes: 200_000,
  daemons: 64,
  machines: 64,
  machineMib: 16_384,
  imageMib: 16_384,
  armed: 64,
  streams: 1024,
  trafficBps: 1e9,
};

/**
 * The limits on the user's own nodes, which only guard against mistakes. A slice has VNIs for at most 16 times 4096
 * links, so no valid slice file needs more tunnels.
 */
export const ownLimits: Limits = {
  ...sharedLimits,
  namespaces: 4096,
  tunnels: 65_536,
  routes: 1_000_000,
  daemons: 4096,
  streams: 4096,
};

/** What earlier versions gave to the user's own nodes. */
export const earlierOwnLimits: readonly Limits[] = [sharedLimits, { ...ownLimits, tunnels: 4096 }];
