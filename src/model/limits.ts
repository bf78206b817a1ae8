/** How much of a node a slice may take, as its policy there says. */
export interface Limits {
  readonly namespaces: number;
  readonly tunnels: number;
  readonly routes: number;
  /** Sets of actions that wait for their instant. */
  readonly armed: number;
  readonly streams: number;
  /** Sum of the payload bits per second that the agent sends as test traffic. */
  readonly trafficBps: number;
}

/** Where a policy says nothing: for a node that others use too. An administrator sets them by `agent install --limit`. */
export const sharedLimits: Limits = {
  namespaces: 64,
  tunnels: 1024,
  routes: 200_000,
  armed: 64,
  streams: 1024,
  trafficBps: 1e9,
};

/**
 * On a node of one's own: a guard against mistakes only. A slice has 4096 VNIs, so no valid slice file can need more tunnels, nor
 * more namespaces.
 */
export const ownLimits: Limits = { ...sharedLimits, namespaces: 4096, tunnels: 4096, routes: 1_000_000, streams: 4096 };
