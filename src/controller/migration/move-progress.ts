import type { FlipRecord } from '../../store/migrations.ts';
import type { Pair } from './proof.ts';
import type { ControlPlaneMove, FlowChange, GuestMove, NeighbourEvents } from './types.ts';

/** What the steps of one move have found and done so far. */
export interface MoveProgress {
  readonly flips: FlipRecord[];
  readonly controlPlanes: ControlPlaneMove[];
  readonly neighbourEvents: NeighbourEvents[];
  readonly flowChanges: FlowChange[];
  readonly guests: GuestMove[];
  unproven: readonly Pair[];
}
