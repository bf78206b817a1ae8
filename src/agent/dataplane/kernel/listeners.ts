import { setTimeout as sleep } from 'node:timers/promises';
import { readGroups } from '../../daemons/moving/groups.ts';
import { ospfGroup } from '../planner/control.ts';

/** A daemon that has started listens within a second; where none ever does, nothing is gained by more. */
const longestMs = 5000;
const pollMs = 20;

/** Resolves when a routing daemon listens at all these interfaces, or none will. Throws VnmError `failed`. */
export async function awaitListeners(namespace: string, interfaces: readonly string[]): Promise<void> {
  for (const endMs = performance.now() + longestMs; performance.now() < endMs; await sleep(pollMs)) {
    const groups = await readGroups(namespace);
    if (interfaces.every((name) => groups[name]?.includes(ospfGroup))) return;
  }
}
