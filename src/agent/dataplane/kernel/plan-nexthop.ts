/** Nexthops and their groups, which exist in the node's own stack only. */
import { VnmError } from '../../../model/errors.ts';
import { leadNexthop } from '../../../model/ids.ts';
import type { Draft } from './draft.ts';
import { groupLeadingTo, isSameGroup } from './group.ts';
import { ownStack } from './ip.ts';
import { conflict, type Named, requireLink } from './plan-common.ts';
import { isGroup, type KernelRoute, type Nexthop, type NexthopGroup, type SingleNexthop } from './state.ts';

export function nexthopUp(draft: Draft, { id, via, interface: name }: Named<'nexthop_up'>): void {
  requireLink(draft, { namespace: ownStack, name });
  const wanted = { id, via, interface: name, onlink: true };
  const existing = standing(draft, id, false);
  if (existing === undefined) draft.addNexthop(wanted);
  else if (existing.via === via && existing.interface === name) return;
  else if (draft.repair) draft.replaceNexthop(existing, wanted);
  else throw conflict(`${describe(existing)} exists, asked for via ${via} over '${name}'`);
}

export function nexthopDown(draft: Draft, { id }: Named<'nexthop_down'>): void {
  const existing = draft.nexthops.get(id);
  if (existing !== undefined) removeNexthop(draft, requireKind(existing, false));
}

export function groupUp(draft: Draft, operation: Named<'group_up'>): void {
  const group = groupOf(draft, operation);
  const existing = standing(draft, group.id, true);
  if (existing !== undefined && isSameGroup(existing, group)) return;
  // Not the group's, it is left from one that was not made to the end, unless it is used.
  const left = draft.nexthops.get(leadNexthop(group.id));
  if (left !== undefined) removeNexthop(draft, requireKind(left, false));
  if (existing === undefined || existing.resilient === group.resilient) draft.putGroup(existing, group);
  else changeKind(draft, existing, group);
}

export function groupDown(draft: Draft, { id }: Named<'group_down'>): void {
  const existing = draft.nexthops.get(id);
  if (existing !== undefined) removeNexthop(draft, requireKind(existing, true));
}

/** Throws VnmError `conflict` while something uses it, which goes first where the batch repairs. */
export function removeNexthop(draft: Draft, nexthop: Nexthop): void {
  if (draft.repair) release(draft, nexthop.id);
  const user = [...draft.nexthops.values()].find((other) => isGroup(other) && other.members.includes(nexthop.id));
  const route = routesOver(draft, nexthop.id)[0];
  if (user !== undefined) throw conflict(`nexthop ${nexthop.id} is used by group ${user.id}`);
  if (route !== undefined) throw conflict(`${describe(nexthop)} is used by the route to ${route.prefix}`);
  if (isGroup(nexthop)) draft.removeGroup(nexthop);
  else draft.removeNexthop(nexthop);
}

/** Takes a nexthop out of its groups, or them away, and the routes over it. */
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
      `group ${id}: active nexthop ${active} is none of its members ${members.join(', ')}`,
    );
  }
  const singles = members.map((member) => {
    const nexthop = member === leadNexthop(id) ? undefined : draft.nexthops.get(member);
    if (nexthop !== undefined) return requireKind(nexthop, false);
    throw new VnmError('not-found', `there is no nexthop ${member}`, { hint: 'nexthop_up makes it' });
  });
  return groupLeadingTo(singles[members.indexOf(active)]!, { id, members, resilient });
}

/** The kernel refuses to change a group's kind, so its routes go over its active member alone while it is made again. */
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

/** The nexthop or group of that id, if it is there. One of the other kind is taken away to repair it, else VnmError `conflict`. */
function standing(draft: Draft, id: number, group: true): NexthopGroup | undefined;
function standing(draft: Draft, id: number, group: false): SingleNexthop | undefined;
function standing(draft: Draft, id: number, group: boolean): Nexthop | undefined {
  const existing = draft.nexthops.get(id);
  if (existing === undefined) {
    const led = draft.nexthops.get(leadNexthop(id));
    if (led === undefined || !isGroup(led) || led.lead === undefined) return undefined;
    if (!draft.repair) throw conflict(`nexthop ${id} is the one that group ${led.id} leads by`);
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
  throw conflict(group ? `${describe(nexthop)} is no group` : `${describe(nexthop)} is a group`);
}

function describe(nexthop: Nexthop): string {
  if (isGroup(nexthop)) return `group ${nexthop.id} of ${nexthop.members.join(', ')}`;
  const via = nexthop.via === undefined ? '' : ` via ${nexthop.via}`;
  return `nexthop ${nexthop.id}${via} over '${nexthop.interface}'`;
}
