/** How the control plane of a moving router gets from one node to another. */
import type { DaemonKind } from '../../../model/daemon.ts';
import { VnmError } from '../../../model/errors.ts';
import type { NodeName, RouterName } from '../../../model/names.ts';
import type { DaemonRouter } from '../../../model/router.ts';
import type { VirtualNetwork } from '../../../model/slice.ts';
import type { NodeFacts } from '../../../vsys/messages.ts';
import type { OperationInput } from '../../../vsys/operations.ts';
import type { Agents } from '../../nodes/agents.ts';
import type { ControlPlaneName } from './names.ts';

export type ControlPlaneWay = RestartingWay | CarryingWay;

interface AnyWay {
  readonly name: ControlPlaneName;
  /**
   * Whether the router's old place forwards by the daemon's entries after the daemon has ended; they are then copied to
   * the new place, where the daemon takes them over.
   */
  readonly keepsRoutes: boolean;
  /** Says why a node cannot take part with this kind of daemon, whatever the router; undefined if it can. */
  lacks(facts: NodeFacts, kind: DaemonKind): string | undefined;
  /** Throws VnmError `unsupported`, with what to configure, if this router cannot move in this way. Changes nothing. */
  refuse(vn: VirtualNetwork, agents: Agents, router: RouterName, nodes: NodesOf): void;
}

/** The daemon ends on one node, the links are flipped, and it starts on the other, where its neighbours' answers go. */
export interface RestartingWay extends AnyWay {
  /** The least time from the end of the old daemon to the start of the new one. */
  readonly pauseMs: number;
  /** Ends the router's daemon on the node. Where there is none, nothing happens. Throws VnmError. */
  leave(agents: Agents, place: ControlPlace): Promise<void>;
  /** Starts the router's daemon on the node. Where it runs, nothing happens. Throws VnmError. */
  arrive(agents: Agents, place: ControlPlace): Promise<void>;
}

/** The daemon itself goes to the other node, and then the links are flipped. */
export interface CarryingWay extends AnyWay {
  /**
   * Carries the daemon from `left` to `kept`. Where it is there, or on neither node, only ends what an interrupted move
   * left half done, and returns undefined. Throws VnmError; unless it is `unreachable` or `timeout` the daemon is at
   * `left`, as it was before.
   */
  carry(agents: Agents, left: ControlPlace, kept: ControlPlace): Promise<Carried | undefined>;
  /** Once no neighbour hears the other node: makes the daemon run at `kept`, if it does not. Throws VnmError. */
  confirm(agents: Agents, kept: ControlPlace): Promise<void>;
}

/** What was carried. */
export interface Carried {
  /** The size of the checkpoint, compressed. */
  readonly bytes: number;
  /** Until the daemon was stopped and its checkpoint was written. */
  readonly dumpMs: number;
  /** From one node to the other, by the controller. */
  readonly transferMs: number;
  /** Until the daemon ran on the other node. */
  readonly restoreMs: number;
}

/** A router's daemon on one node. */
export interface ControlPlace {
  readonly node: NodeName;
  readonly namespace: string;
  /** What starts it there, as without a move. */
  readonly start: Extract<OperationInput, { op: 'daemon_up' }>;
}

/** The nodes where a router and its neighbours are, and where the router goes. */
export interface NodesOf {
  readonly to: NodeName;
  of(router: RouterName): NodeName;
}

export function speaksBgp({ config }: DaemonRouter): boolean {
  return config.bgp !== undefined || /^\s*(protocol|router)\s+bgp\b/m.test(config.text ?? '');
}

/** The version of a daemon on a node, as its agent says; undefined if it has none, or does not say. */
export function versionOn({ features }: Pick<NodeFacts, 'features'>, kind: DaemonKind): string | undefined {
  const feature = features.find(({ name, available }) => name === kind && available);
  return /\d+\.\d+\S*/.exec(feature?.detail ?? '')?.[0];
}

export function notPossible(way: ControlPlaneName, why: string, hint: string): VnmError {
  return new VnmError('unsupported', `--control-plane ${way} is not possible: ${why}`, { hint });
}
