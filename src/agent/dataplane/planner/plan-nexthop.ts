/** Nexthops and groups, which exist only in the node's own stack. */
import { VnmError } from '../../../model/errors.ts';
import { leadNexthop } from '../../../model/ids.ts';
import type { Draft } from './draft.ts';
import { groupLeadingTo, isSameGroup } from './group.ts';
import { conflict, type Named, requireLink } from './plan-common.ts';
import { isGroup, type KernelRoute, type Nexthop, type NexthopGroup, ownStack, type SingleNexthop } from './state.ts';

export function nexthopUp(draft: Draft, { id, via, interface: name }: Named<'nexthop_up'>): void {
  requireLink(draft, { namespace: ownStack, name });
  const wanted = { id, via, interface: name, onlink: true };
  const existing = standing(draft, id, false);
  if (existing === undefined) draft.addNexthop(wanted);
  else if (existing.via === via && existing.interface === name) return;
  else if (draft.repair) draft.replaceNexthop(existing, wanted);
  else throw conflict(`${describe(existing)} exists, requested: via ${via} over '${name}'`);
}

export function nexthopDown(draft: Draft, { id }: Named<'nexthop_down'>): void {
  const existing = draft.nexthops.get(id);
  if (existing !== undefined) removeNexthop(draft, requireKind(existing, false));
}

export function groupUp(draft: Draft, operation: Named<'group_up'>): void {
  const group = groupOf(draft, operation);
  const existing = standing(draft, group.id, true);
  if (existing !== undefined && isSameGroup(existing, group)) return;
  // A lead nexthop without its group is left over from a group that was not completed, unless it is in use.
  const left = draft.nexthops.get(leadNexthop(group.id));
  if (left !== undefined) removeNexthop(draft, requireKind(left, false));
  if (existing === undefined || existing.resilient === group.resilient) draft.putGroup(existing, group);
  else changeKind(draft, existing, group);
}

export function groupDown(draft: Draft, { id }: Named<'group_down'>): void {
  const existing = draft.nexthops.get(id);
  if (existing !== undefined) removeNexthop(draft, requireKind(existing, true));
}

/** Throws VnmError `conflict` while something uses it; a batch that repairs removes the users first. */
export function removeNexthop(draft: Draft, nexthop: Nexthop): void {
  if (draft.repair) release(draft, nexthop.id);
  const user = [...draft.nexthops.values()].find((other) => isGroup(other) && other.members.includes(nexthop.id));
  const route = routesOver(draft, nexthop.id)[0];
  if (user !== undefined) throw conflict(`nexthop ${nexthop.id} is used by group ${user.id}`);
  if (route !== undefined) throw conflict(`${describe(nexthop)} is used by the route to ${route.prefix}`);
  if (isGroup(nexthop)) draft.removeGroup(nexthop);
  else draft.removeNexthop(nexthop);
}

/** Removes a nexthop from its groups (or groups without another member), and the routes over it. */
function release(draft: Draft, id: number): void {
  for (const user of [...draft.nexthops.values()]) {
    if (!isGroup(user) || !user.members.includes(id)) continue;
    const members = user.members.filter((member) => member !== id);
    const active = draft.nexthops.get(user.active !== id && user.active !== undefined ? user.active : members[0]!);
    if (active !== undefined && !isGroup(active)) draft.putGroup(user, groupLeadingTo(active, { ...user, members }));
    else removeNexthop(draft, user);
  }
  for (const [key, route] of [...draft.stacks.get(ownStack)!.routes]) {
    if (route.nexthopId === id) draft.removeRoute(ownStack, key, route);
  }
}

function groupOf(draft: Draft, { id, members, active, resilient }: Named<'group_up'>): NexthopGroup {
  if (!members.includes(active)) {
    throw new VnmError(
      'invalid-input',
      `group ${id}: active nexthop ${active} is not one of its members ${members.join(', ')}`,
    );
  }
  const singles = members.map((member) => {
    const nexthop = member === leadNexthop(id) ? undefined : draft.nexthops.get(member);
    if (nexthop !== undefined) return requireKind(nexthop, false);
    throw new VnmError('not-found', `there is no nexthop ${member}`, { hint: 'create it with nexthop_up' });
  });
  return groupLeadingTo(singles[members.indexOf(active)]!, { id, members, resilient });
}

/**
 * Recreates a group of another kind, since the kernel refuses to change the kind. Meanwhile its routes use the active
 * member alone.
 */
function changeKind(draft: Draft, before: NexthopGroup, group: NexthopGroup): void {
  const bridge = before.active ?? group.active!;
  const routes = routesOver(draft, before.id);
  for (const route of routes) draft.replaceRoute(ownStack, route, { ...route, nexthopId: bridge });
  draft.removeGroup(before);
  draft.putGroup(undefined, group);
  for (const route of routes) draft.replaceRoute(ownStack, { ...route, nexthopId: bridge }, route);
}

function routesOver(draft: Draft, id: number): KernelRoute[] {
  return [...draft.stacks.get(ownStack)!.routes.values()].filter((route) => route.nexthopId === id);
}

/**
 * Returns the nexthop or group with that id, if it exists. One of the other kind is removed in a repair, otherwise
 * VnmError `conflict`.
 */
function standing(draft: Draft, id: number, group: true): NexthopGroup | undefined;
function standing(draft: Draft, id: number, group: false): SingleNexthop | undefined;
function standing(draft: Draft, id: number, group: boolean): Nexthop | undefined {
  const existing = draft.nexthops.get(id);
  if (existing === undefined) {
    const led = draft.nexthops.get(leadNexthop(id));
    if (led === undefined || !isGroup(led) || led.lead === undefined) return undefined;
    if (!draft.repair) throw conflict(`nexthop ${id} is the lead of group ${led.id}`);
    removeNexthop(draft, led);
    return undefined;
  }
  if (!draft.repair || isGroup(existing) === group)
    return group ? requireKind(existing, true) : requireKind(existing, false);
  removeNexthop(draft, existing);
  return undefined;
}

function requireKind(nexthop: Nexthop, group: true): NexthopGroup;
function requireKind(nexthop: Nexthop, group: false): SingleNexthop;
function requireKind(nexthop: Nexthop, group: boolean): Nexthop {
  if (isGroup(nexthop) === group) return nexthop;
  throw conflict(group ? `${describe(nexthop)} is not a group` : `${describe(nexthop)} is a group`);
}

function describe(nexthop: Nexthop): string {
  if (isGroup(nexthop)) return `group ${nexthop.id} of ${nexthop.members.join(', ')}`;
  const via = nexthop.via === undefined ? '' : ` via ${nexthop.via}`;
  return `nexthop ${nexthop.id}${via} over '${nexthop.interface}'`;
}
