/** Nexthops and their groups, which exist in the node's own stack only. */
import { VnmError } from '../../../model/errors.ts';
import type { Draft } from './draft.ts';
import { ownStack } from './ip.ts';
import { conflict, type Named, requireLink } from './plan-common.ts';
import {
  activeMember,
  isGroup,
  type KernelRoute,
  type Nexthop,
  type NexthopGroup,
  type SingleNexthop,
} from './state.ts';

/** Weights of the member that takes the traffic, and of the others, which only pass the reverse-path check. */
const activeWeight = 255;

export function nexthopUp(draft: Draft, { id, via, interface: name }: Named<'nexthop_up'>): void {
  requireLink(draft, { namespace: ownStack, name });
  const existing = draft.nexthops.get(id);
  if (existing === undefined) {
    draft.addNexthop({ id, via, interface: name, onlink: true });
    return;
  }
  const single = requireKind(existing, false);
  if (single.via === via && single.interface === name) return;
  throw conflict(`${describe(single)} exists, asked for via ${via} over '${name}'`);
}

export function nexthopDown(draft: Draft, { id }: Named<'nexthop_down'>): void {
  const existing = draft.nexthops.get(id);
  if (existing !== undefined) removeNexthop(draft, requireKind(existing, false));
}

export function groupUp(draft: Draft, operation: Named<'group_up'>): void {
  const group = groupOf(draft, operation);
  const existing = draft.nexthops.get(group.id);
  if (existing === undefined) {
    draft.addNexthop(group);
    return;
  }
  const before = requireKind(existing, true);
  if (before.resilient !== group.resilient) changeKind(draft, before, group);
  else if (!hasSameMembers(before, group)) draft.replaceNexthop(before, group);
}

export function groupDown(draft: Draft, { id }: Named<'group_down'>): void {
  const existing = draft.nexthops.get(id);
  if (existing !== undefined) removeNexthop(draft, requireKind(existing, true));
}

/** Throws VnmError `conflict` while something uses it. */
export function removeNexthop(draft: Draft, nexthop: Nexthop): void {
  const user = [...draft.nexthops.values()].find(
    (other) => isGroup(other) && other.members.some(({ id }) => id === nexthop.id),
  );
  const route = routesOver(draft, nexthop.id)[0];
  if (user !== undefined) throw conflict(`nexthop ${nexthop.id} is used by group ${user.id}`);
  if (route !== undefined) throw conflict(`${describe(nexthop)} is used by the route to ${route.prefix}`);
  draft.removeNexthop(nexthop);
}

/** The group with one member active: resilient with all its members, or plain with that one alone. */
export function groupWithActive(
  id: number,
  members: readonly number[],
  active: number,
  resilient: boolean,
): NexthopGroup {
  if (!resilient) return { id, resilient, members: [{ id: active, weight: 1 }] };
  return {
    id,
    resilient,
    members: members.map((member) => ({ id: member, weight: member === active ? activeWeight : 1 })),
  };
}

function groupOf(draft: Draft, { id, members, active, resilient }: Named<'group_up'>): NexthopGroup {
  if (!members.includes(active)) {
    throw new VnmError(
      'invalid-input',
      `group ${id}: active nexthop ${active} is none of its members ${members.join(', ')}`,
    );
  }
  for (const member of members) {
    const nexthop = draft.nexthops.get(member);
    if (nexthop === undefined) {
      throw new VnmError('not-found', `there is no nexthop ${member}`, { hint: 'nexthop_up makes it' });
    }
    requireKind(nexthop, false);
  }
  return groupWithActive(id, members, active, resilient);
}

/** The kernel refuses to change a group's kind, so its routes go over its active member alone while it is made anew. */
function changeKind(draft: Draft, before: NexthopGroup, group: NexthopGroup): void {
  const bridge = activeMember(before);
  const routes = routesOver(draft, before.id);
  for (const route of routes) draft.replaceRoute(ownStack, route, { ...route, nexthopId: bridge });
  draft.removeNexthop(before);
  draft.addNexthop(group);
  for (const route of routes) draft.replaceRoute(ownStack, { ...route, nexthopId: bridge }, route);
}

function hasSameMembers(a: NexthopGroup, b: NexthopGroup): boolean {
  const weights = new Map(a.members.map(({ id, weight }) => [id, weight]));
  return a.members.length === b.members.length && b.members.every(({ id, weight }) => weights.get(id) === weight);
}

function routesOver(draft: Draft, id: number): KernelRoute[] {
  return [...draft.stacks.get(ownStack)!.routes.values()].filter((route) => route.nexthopId === id);
}

function requireKind(nexthop: Nexthop, group: true): NexthopGroup;
function requireKind(nexthop: Nexthop, group: false): SingleNexthop;
function requireKind(nexthop: Nexthop, group: boolean): Nexthop {
  if (isGroup(nexthop) === group) return nexthop;
  throw conflict(group ? `${describe(nexthop)} is no group` : `${describe(nexthop)} is a group`);
}

function describe(nexthop: Nexthop): string {
  if (isGroup(nexthop)) return `group ${nexthop.id} of ${nexthop.members.map(({ id }) => id).join(', ')}`;
  const via = nexthop.via === undefined ? '' : ` via ${nexthop.via}`;
  return `nexthop ${nexthop.id}${via} over '${nexthop.interface}'`;
}
