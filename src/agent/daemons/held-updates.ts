/**
 * Holds back the link-state updates of a BIRD that restarts gracefully. When it has recovered, BIRD 2.0.12 flushes its
 * own router LSA and originates the next one a second later (its `tick`): a neighbour that calculates its routes in
 * between drops all that lead through the router. Updates that were held back are sent again, after 5 s
 * (RxmtInterval); by then they are the new ones, and until then the neighbours have the old ones, which are the same.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../run.ts';
import type { Place } from './place.ts';
import { readLog } from './processes.ts';

const table = 'pl-vnm-held';
/** The OSPF packet type of link-state updates (RFC 2328, section A.3.5), in the second byte of the header. */
const rules = `table ip ${table} { chain out { type filter hook output priority 0; ip protocol 89 @th,8,8 4 drop; }; };`;
/** BIRD's tick, and what it may be late on a busy node. Up to RxmtInterval, longer does no harm. */
const tickMs = 4000;
/** Longer than any grace period (RFC 3623: at most 1800 s) is no recovery. */
const longestMs = 130_000;
const pollMs = 50;

/** Begins to hold back, where the node has nft; returns whether it does. */
export async function holdUpdates({ namespace }: Place): Promise<boolean> {
  const { code } = await run('ip', ['netns', 'exec', namespace, 'nft', rules]);
  return code === 0;
}

/** Lets the updates go when the recovery has ended. Resolves then. */
export async function letUpdatesGo(place: Place): Promise<void> {
  for (
    const endMs = performance.now() + longestMs;
    performance.now() < endMs;
    await sleep(pollMs, null, { ref: false })
  )
    if (readLog(place).includes('Graceful restart done')) break;
  await sleep(tickMs, null, { ref: false });
  await sendUpdates(place);
}

/** Holds back nothing any more, whoever began it. */
export async function sendUpdates({ namespace }: Place): Promise<void> {
  await run('ip', ['netns', 'exec', namespace, 'nft', 'delete', 'table', 'ip', table]);
}
