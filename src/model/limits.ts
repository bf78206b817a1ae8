/** How much of a node a slice may use, as set in its policy on the node. */
export interface Limits {
  readonly namespaces: number;
  readonly tunnels: number;
  readonly routes: number;
  /** Routing daemons, one per router at most. */
  readonly daemons: number;
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
  armed: 64,
  streams: 1024,
  trafficBps: 1e9,
};

/**
 * The limits on the user's own nodes, which only guard against mistakes. A slice has 4096 VNIs, so no valid slice file
 * needs more tunnels or namespaces.
 */
export const ownLimits: Limits = {
  ...sharedLimits,
  namespaces: 4096,
  tunnels: 4096,
  routes: 1_000_000,
  daemons: 4096,
  streams: 4096,
};
