/** How the control plane of a moving router gets from one node to another. */
import type { NodeName, RouterName } from '../../../model/names.ts';
import type { VirtualNetwork } from '../../../model/slice.ts';
import type { OperationInput } from '../../../vsys/operations.ts';
import type { Agents } from '../../nodes/agents.ts';

export interface ControlPlaneWay {
  readonly name: string;
  /**
   * Whether the router's old place forwards by the daemon's entries after the daemon has ended; they are then copied to
   * the new place, where the daemon takes them over.
   */
  readonly keepsRoutes: boolean;
  /** The least time from the end of the old daemon to the start of the new one. */
  readonly pauseMs: number;
  /** Throws VnmError `unsupported`, with what to configure, if this router cannot move in this way. Changes nothing. */
  refuse(vn: VirtualNetwork, agents: Agents, router: RouterName, nodes: NodesOf): void;
  /** Ends the router's daemon on the node. Where there is none, nothing happens. Throws VnmError. */
  leave(agents: Agents, place: ControlPlace): Promise<void>;
  /** Starts the router's daemon on the node. Where it runs, nothing happens. Throws VnmError. */
  arrive(agents: Agents, place: ControlPlace): Promise<void>;
}

/** A router's daemon on one node. */
export interface ControlPlace {
  readonly node: NodeName;
  readonly namespace: string;
  /** What starts it there, as without a move. */
  readonly start: Extract<OperationInput, { op: 'daemon_up' }>;
}

/** The nodes where a router and its neighbours are, and where the router goes. */
interface NodesOf {
  readonly to: NodeName;
  of(router: RouterName): NodeName;
}
