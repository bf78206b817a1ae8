/** A way to move a VN. */
import type { UrpfMode } from '../../model/route.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { HostPair, RedirectionRecord } from '../../store/migrations.ts';
import type { Agents } from '../nodes/agents.ts';
import type { NodeClock } from '../nodes/clocks.ts';
import type { Traffic } from '../probe/traffic.ts';
import type { Decision } from './decide.ts';
import type { Step } from './machine.ts';
import type { MigrationOptions } from './options.ts';
import type { ControlMode, MoveOptions, Recorded, Run } from './types.ts';

/** Its phases and their stages are in base/phase.ts; in which order its steps follow each other says the machine (machine.ts). */
export interface Method {
  /** Throws VnmError where these options cannot be had this way; nothing has been asked yet. */
  refuse(options: MigrationOptions): void;
  /** Throws VnmError where these nodes cannot do it; nothing has been changed yet. */
  refuseOn(agents: Agents, vn: VirtualNetwork, options: MigrationOptions): void;
  /** What each step does, on the way there and on the way back; throws where it fails. All may be done again. */
  steps(run: Run, fresh: Recorded, way: Way): Record<Step, () => Promise<void>>;
}

interface Way {
  readonly options: MoveOptions;
  /** The mode that was before. */
  readonly urpfBefore: UrpfMode;
  readonly progress: Progress;
}

/** What the steps have found out and done. */
export interface Progress {
  readonly startedAt: number;
  traffic?: Traffic;
  prepared?: Prepared;
  redirections: RedirectionRecord[];
  /** How it was redirected in the end. */
  control: ControlMode;
  redirectedAt: number;
  /** Pairs of end hosts that were not seen to reach each other. */
  unproven: readonly HostPair[];
}

export interface Prepared {
  readonly clocks: ReadonlyMap<string, NodeClock>;
  readonly decision: Decision;
}
