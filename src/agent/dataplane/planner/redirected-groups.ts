import { VnmError } from '../../../model/errors.ts';
import type { Params } from '../../../vsys/messages.ts';
import { groupLeadingTo } from './group.ts';
import { conflict } from './plan-common.ts';
import { isGroup, type Nexthop, type NexthopGroup } from './state.ts';

export type Redirections = Params<'redirect'>['groups'];

/**
 * Returns the groups before and after. Under strict uRPF a group accepts only from the nexthop that it leads to: a
 * nexthop that is not a member replaces the members. Throws VnmError `not-found`, `conflict`.
 */
export function redirectedGroups(
  groups: Redirections,
  nexthops: ReadonlyMap<number, Nexthop>,
): { readonly before: NexthopGroup; readonly after: NexthopGroup }[] {
  return groups.map(({ id, active }) => {
    const before = requireNexthop(nexthops, id);
    const target = requireNexthop(nexthops, active);
    if (!isGroup(before)) throw conflict(`nexthop ${id} is not a group`);
    if (isGroup(target)) throw conflict(`nexthop ${active} is a group`);
    const members = before.members.includes(active) ? before.members : [active];
    return { before, after: groupLeadingTo(target, { ...before, members }) };
  });
}

function requireNexthop(nexthops: ReadonlyMap<number, Nexthop>, id: number): Nexthop {
  const nexthop = nexthops.get(id);
  if (nexthop !== undefined) return nexthop;
  throw new VnmError('not-found', `there is no nexthop ${id}`, { hint: 'create it with nexthop_up or group_up' });
}
