/** A router's daemon, as its agent knows it. */
import type { DaemonReport } from '../../vsys/daemon.ts';
import type { Daemon } from '../../vsys/operations.ts';
import type { Place } from './place.ts';
import type { Running } from './processes.ts';
import type { MoveStep } from './records.ts';

export interface Watched {
  readonly place: Place;
  readonly netns: number;
  daemon: Daemon;
  processes: readonly Running[];
  state: DaemonReport['state'];
  /** When it was started again. */
  restarts: number[];
  version?: string;
  /** Present while it moves to another node, or here. */
  move?: MoveStep;
}
