/** A method to move a VN. */
import type { VirtualNetwork } from '../../model/slice.ts';
import type { HostPair, RedirectionRecord } from '../../store/migrations.ts';
import type { Agents } from '../nodes/agents.ts';
import type { NodeClock } from '../nodes/clocks.ts';
import type { Traffic } from '../probe/traffic.ts';
import type { Decision } from './decide.ts';
import type { Step } from './machine.ts';
import type { MigrationOptions } from './options.ts';
import type { ControlMode } from './types.ts';

/**
 * Its phases and their stages are in base/phase.ts; machine.ts decides the order of its steps, which are in the file of
 * the method.
 */
export interface Method {
  /** Throws VnmError if the method does not support these options. Called before any node is contacted. */
  refuse(options: MigrationOptions): void;
  /** Throws VnmError if these nodes do not support it. Called before anything is changed. */
  refuseOn(agents: Agents, vn: VirtualNetwork, options: MigrationOptions): void;
}

/** What each step does. A step throws if it fails, and may be repeated. */
export type Steps = Readonly<Record<Step, () => Promise<void>>>;

/** What the steps have found and done so far. */
export interface Progress {
  readonly startedAt: number;
  traffic?: Traffic;
  prepared?: Prepared;
  redirections: RedirectionRecord[];
  /** Who actually timed the redirections. */
  control: ControlMode;
  redirectedAt: number;
  /** Pairs of end hosts that were not proven to reach each other. */
  unproven: readonly HostPair[];
}

export interface Prepared {
  readonly clocks: ReadonlyMap<string, NodeClock>;
  readonly decision: Decision;
}
