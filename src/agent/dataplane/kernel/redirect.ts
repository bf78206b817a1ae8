import type { Clock } from '../../../clock/clock.ts';
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { Results } from '../../../vsys/messages.ts';
import type { Command } from '../planner/commands.ts';
import { forgetCachedWays, putEntries, putLead } from '../planner/group.ts';
import { type Redirections, redirectedGroups } from '../planner/redirected-groups.ts';
import type { Nexthop } from '../planner/state.ts';
import { undo } from './execute.ts';
import { batchLine } from './ip.ts';
import { type NexthopJson, parseNexthops } from './parse.ts';
import type { WarmIp } from './warm-ip.ts';

/**
 * Makes other members active, by one write to the waiting `ip`. First reads the groups; throws VnmError `not-found` and
 * `conflict` before anything is changed, `failed` after it has restored the state before.
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

/** Returns the lines of a redirection. Errors as `redirect`. */
export function redirectLines(nexthops: ReadonlyMap<number, Nexthop>, groups: Redirections): string[] {
  return linesOf(redirections(groups, nexthops));
}

function linesOf(commands: readonly Command[]): string[] {
  return commands.map(({ do: step }) => ('ip' in step ? batchLine(step.ip, step.rest) : ''));
}

/** Returns the nexthops by id. */
export async function readNexthops(warm: WarmIp): Promise<Map<number, Nexthop>> {
  return parseNexthops((await warm.ask([], 'nexthop show\n')) as NexthopJson[]);
}

/**
 * Replaces every lead, even one that already leads there: another redirection between the members may be armed for an
 * earlier instant.
 */
function redirections(groups: Redirections, nexthops: ReadonlyMap<number, Nexthop>): Command[] {
  const changes = redirectedGroups(groups, nexthops);
  return [
    ...changes.map(({ before, after }) => putLead(before, after)),
    ...changes.flatMap(({ before, after }) => putEntries(before, after)),
    forgetCachedWays,
  ];
}
