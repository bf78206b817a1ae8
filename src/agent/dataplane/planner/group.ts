/**
 * A nexthop group as it is made here. It leads by a separate entry, the lead, which is a copy of its active member; the
 * other entries are members from which packets are only accepted. To make another member active, only one nexthop is
 * replaced, which takes no wait on recent kernels; replacing a group waits for a grace period of RCU (decision 24).
 */
import { leadNexthop } from '../../../model/ids.ts';
import { type Command, ip, nexthopStep, removeNexthopStep } from './commands.ts';
import { type Entry, type NexthopGroup, ownStack, type SingleNexthop, type Way } from './state.ts';

/** The single bucket of a resilient group follows the heaviest entry at once. */
const leadWeight = 255;

/**
 * Flushes cached routes. The kernel does this itself when a group is replaced, but not when an entry is: a connected
 * socket of this node, such as that of a probe, would keep its route. This command also makes the kernel forget the
 * path MTUs that it has learned.
 */
export const forgetCachedWays: Command = { do: ip(ownStack, 'route', 'flush', 'cache'), undo: [] };

/** Returns a group with this active member. A group that is not resilient can only accept from its active member. */
export function groupLeadingTo(
  active: SingleNexthop,
  { id, members, resilient }: Pick<NexthopGroup, 'id' | 'members' | 'resilient'>,
): NexthopGroup {
  const { id: activeId, ...lead } = active;
  const accepted = resilient ? members : [activeId];
  return { id, resilient, members: accepted, active: activeId, lead, entries: entriesFor(id, accepted) };
}

function entriesFor(id: number, members: readonly number[]): Entry[] {
  const lead = leadNexthop(id);
  if (members.length === 1) return [{ id: lead, weight: 1 }];
  return [{ id: lead, weight: leadWeight }, ...members.map((member) => ({ id: member, weight: 1 }))];
}

/**
 * Returns the group that the kernel has. `lead`: the nexthop that it leads by, if that is an entry. `nexthopOf`:
 * returns the nexthop for a way that is not itself a lead.
 */
export function groupFound(
  { id, resilient, entries }: Pick<NexthopGroup, 'id' | 'resilient' | 'entries'>,
  lead: Way | undefined,
  nexthopOf: (way: Way) => number | undefined,
): NexthopGroup {
  const others = entries.map((entry) => entry.id).filter((entry) => entry !== leadNexthop(id));
  if (lead === undefined) return { id, resilient, members: others, ...heaviest(entries), entries };
  const active = nexthopOf(lead);
  const members = others.length > 0 || active === undefined ? others : [active];
  const isMember = active !== undefined && members.includes(active);
  return { id, resilient, members, ...(isMember ? { active } : {}), lead, entries };
}

function heaviest(entries: readonly Entry[]): { active: number } {
  return { active: entries.reduce((best, entry) => (entry.weight > best.weight ? entry : best)).id };
}

export function isSameGroup(a: NexthopGroup, b: NexthopGroup): boolean {
  return a.resilient === b.resilient && hasSameEntries(a, b) && isSameWay(a.lead, b.lead);
}

/** Returns the command that makes a group lead as `after` does. It also creates the lead. */
export function putLead(before: NexthopGroup | undefined, after: NexthopGroup): Command {
  const id = leadNexthop(after.id);
  const put = (way: Way) => nexthopStep('replace', { id, ...way });
  const undo = before?.lead === undefined ? [removeNexthopStep(id)] : [put(before.lead), forgetCachedWays.do];
  return { do: put(after.lead!), undo };
}

/** Returns the commands that give a group the entries of `after`, if they differ. */
export function putEntries(before: NexthopGroup | undefined, after: NexthopGroup): Command[] {
  if (before === undefined) return [{ do: nexthopStep('add', after), undo: [removeNexthopStep(after.id)] }];
  if (hasSameEntries(before, after)) return [];
  return [{ do: nexthopStep('replace', after), undo: [nexthopStep('replace', before)] }];
}

export function putGroup(before: NexthopGroup | undefined, after: NexthopGroup): Command[] {
  if (isSameWay(before?.lead, after.lead)) return putEntries(before, after);
  const isNew = before === undefined;
  return [putLead(before, after), ...putEntries(before, after), ...(isNew ? [] : [forgetCachedWays])];
}

export function dropGroup(group: NexthopGroup): Command[] {
  const { id, lead } = group;
  const own = leadNexthop(id);
  return [
    { do: removeNexthopStep(id), undo: [nexthopStep('add', group)] },
    ...(lead === undefined ? [] : [{ do: removeNexthopStep(own), undo: [nexthopStep('add', { id: own, ...lead })] }]),
  ];
}

function hasSameEntries(a: NexthopGroup, b: NexthopGroup): boolean {
  const weights = new Map(a.entries.map(({ id, weight }) => [id, weight]));
  return a.entries.length === b.entries.length && b.entries.every(({ id, weight }) => weights.get(id) === weight);
}

function isSameWay(a: Way | undefined, b: Way | undefined): boolean {
  return a !== undefined && a.via === b?.via && a.interface === b?.interface && a.onlink === b?.onlink;
}
