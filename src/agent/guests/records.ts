/** Which machine each namespace must have. */

import type { Machine } from '../../vsys/machine.ts';
import { type NamespaceRecords, namespaceRecords } from '../namespace-records.ts';

/**
 * The steps of a move to another node. `copying`: the original runs on if anything fails. `standing`: it stands still,
 * and only the controller knows whether its copy runs. `arriving`: here the copy is made, which does not count yet.
 * `arrived`: it is complete, and stands still.
 */
export type GuestMove = 'copying' | 'standing' | 'arriving' | 'arrived';

interface GuestRecord {
  readonly namespace: string;
  readonly machine: Machine;
  /** Identifies the network namespace, which may have been replaced by another one of that name. */
  readonly netns: number;
  /** Present while the guest moves. */
  readonly move?: GuestMove;
}

export function guestRecords(directory: string): NamespaceRecords<GuestRecord> {
  return namespaceRecords(directory);
}
