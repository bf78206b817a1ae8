/** Which daemon each namespace must have. */

import type { Daemon } from '../../vsys/operations.ts';
import { type NamespaceRecords, namespaceRecords } from '../namespace-records.ts';

/**
 * The steps of a move to another node. `dumping`: the original runs on if anything fails. `dumped`: it is stopped, and
 * only the controller knows whether its copy runs. `restoring`: here the copy is made, which does not count yet.
 */
export type MoveStep = 'dumping' | 'dumped' | 'restoring';

interface DaemonRecord {
  readonly namespace: string;
  readonly daemon: Daemon;
  /** Identifies the network namespace, which may have been replaced by another one of that name. */
  readonly netns: number;
  /** False from before its start until it has its configuration: a process that runs may then lack it. */
  readonly isReady: boolean;
  /** Present while the daemon moves. */
  readonly move?: MoveStep;
  /** From before it leaves until its processes have ended: the next agent ends them. */
  readonly isLeaving?: true;
}

export type DaemonRecords = NamespaceRecords<DaemonRecord>;

export function daemonRecords(directory: string): DaemonRecords {
  return namespaceRecords(directory);
}
