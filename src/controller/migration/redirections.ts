import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { type Instance, instanceNexthop } from '../../planning/instance.ts';
import { offsetMs } from '../../planning/schedule/offsets.ts';
import type { Schedule } from '../../planning/schedule/types.ts';
import { groupTo, peersOf } from '../batches/gateways.ts';

/** What one gateway redirects at one instant: all its groups, or with granularity `peer` the one towards a remote gateway. */
export interface Redirection {
  readonly gateway: string;
  readonly node: string;
  /** After the common instant T. */
  readonly offsetMs: number;
  readonly groups: { id: number; active: number }[];
}

/** The redirections of a schedule, each gateway's in the order of their instants. */
export function redirectionsOf(slice: Slice, vn: VirtualNetwork, to: Instance, schedule: Schedule): Redirection[] {
  return vn.gateways.flatMap(({ name, node }) => {
    const active = instanceNexthop(slice, vn, to.slot, name);
    const byInstant = Map.groupBy(peersOf(vn, name), (peer) => offsetMs(schedule, name, peer));
    return [...byInstant]
      .sort(([a], [b]) => a - b)
      .map(([offset, peers]) => ({
        gateway: name,
        node,
        offsetMs: offset,
        groups: peers.map((peer) => ({ id: groupTo(slice, vn, peer), active })),
      }));
  });
}
