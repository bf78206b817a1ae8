import type { Clock } from '../../../clock/clock.ts';
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { Params, Results } from '../../../vsys/messages.ts';
import type { Command } from './commands.ts';
import { undo } from './execute.ts';
import { forgetCachedWays, groupLeadingTo, putEntries, putLead } from './group.ts';
import { batchLine } from './ip.ts';
import { type NexthopJson, parseNexthops } from './parse.ts';
import { conflict } from './plan-common.ts';
import { isGroup, type Nexthop, type NexthopGroup } from './state.ts';
import type { WarmIp } from './warm-ip.ts';

type Redirections = Params<'redirect'>['groups'];

/**
 * Makes other members active, by one write to the waiting `ip`. Looks first what the groups are; throws VnmError `not-found`
 * and `conflict` before anything is changed, `failed` after having put back what was.
 */
export async function redirect(warm: WarmIp, clock: Clock, groups: Redirections): Promise<Results['redirect']> {
  const nexthops = await readNexthops(warm);
  const commands = redirections(groups, nexthops);
  const lines = linesOf(commands);
  const startedAt = clock.wallMs();
  try {
    await warm.ask(lines, `nexthop show id ${groups[0]!.id}\n`);
  } catch (error) {
    const left = await undo(commands);
    if (left.length === 0) throw error;
    throw new VnmError('failed', `${messageOf(error)}; not undone: ${left.join('; ')}`, { cause: error });
  }
  return { startedAt, finishedAt: clock.wallMs() };
}

/** The lines of a redirection. Errors as `redirect`. */
export function redirectLines(nexthops: ReadonlyMap<number, Nexthop>, groups: Redirections): string[] {
  return linesOf(redirections(groups, nexthops));
}

function linesOf(commands: readonly Command[]): string[] {
  return commands.map(({ do: step }) => ('ip' in step ? batchLine(step.ip) : ''));
}

/** By ids. */
export async function readNexthops(warm: WarmIp): Promise<Map<number, Nexthop>> {
  return parseNexthops((await warm.ask([], 'nexthop show\n')) as NexthopJson[]);
}

/** Every lead is put, also one that leads there already: another redirection between the members may be armed before. */
function redirections(groups: Redirections, nexthops: ReadonlyMap<number, Nexthop>): Command[] {
  const changes = redirectedGroups(groups, nexthops);
  return [
    ...changes.map(({ before, after }) => putLead(before, after)),
    ...changes.flatMap(({ before, after }) => putEntries(before, after)),
    forgetCachedWays,
  ];
}

/**
 * The groups, and what they become. Under strict uRPF a group accepts only what it takes: a nexthop that is no member takes the place
 * of those that are. Throws VnmError `not-found`, `conflict`.
 */
export function redirectedGroups(
  groups: Redirections,
  nexthops: ReadonlyMap<number, Nexthop>,
): { readonly before: NexthopGroup; readonly after: NexthopGroup }[] {
  return groups.map(({ id, active }) => {
    const before = requireNexthop(nexthops, id);
    const target = requireNexthop(nexthops, active);
    if (!isGroup(before)) throw conflict(`nexthop ${id} is no group`);
    if (isGroup(target)) throw conflict(`nexthop ${active} is a group`);
    const members = before.members.includes(active) ? before.members : [active];
    return { before, after: groupLeadingTo(target, { ...before, members }) };
  });
}

function requireNexthop(nexthops: ReadonlyMap<number, Nexthop>, id: number): Nexthop {
  const nexthop = nexthops.get(id);
  if (nexthop !== undefined) return nexthop;
  throw new VnmError('not-found', `there is no nexthop ${id}`, { hint: 'nexthop_up or group_up makes it' });
}
