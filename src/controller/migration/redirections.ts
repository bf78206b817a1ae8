import type { GatewayName, NodeName } from '../../model/names.ts';
import type { Instance } from '../../planning/instance.ts';
import { offsetMs } from '../../planning/schedule/offsets.ts';
import type { Schedule } from '../../planning/schedule/types.ts';
import { nexthopInto, type VnPlan } from '../../planning/vn-plan.ts';

/**
 * What one gateway redirects at one instant: all its groups, or with granularity `peer` the group for one remote
 * gateway.
 */
export interface Redirection {
  readonly gateway: GatewayName;
  readonly node: NodeName;
  /** ms after the common instant T. */
  readonly offsetMs: number;
  readonly groups: { id: number; active: number }[];
}

/** The redirections of a schedule, each gateway's in the order of their instants. */
export function redirectionsOf(plan: VnPlan, to: Instance, schedule: Schedule): Redirection[] {
  return plan.gateways.flatMap((gateway) => {
    const { name, node, groups } = gateway;
    const active = nexthopInto(plan, gateway, to.slot);
    const byInstant = Map.groupBy(groups, ({ peer }) => offsetMs(schedule, name, peer));
    return [...byInstant]
      .sort(([a], [b]) => a - b)
      .map(([offset, some]) => ({
        gateway: name,
        node,
        offsetMs: offset,
        groups: some.map(({ id }) => ({ id, active })),
      }));
  });
}
