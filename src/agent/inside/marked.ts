/**
 * Finds the processes of commands by a variable in the environment that they were started with, which all that they
 * start inherits.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { NamespaceName } from '../../model/names.ts';

export const markName = 'PL_VNM_EXEC';

/** Sends a signal to all processes with the mark. */
export function signalMarked(mark: string, signal: NodeJS.Signals): void {
  signalAll((pid) => environmentOf(pid).includes(`${markName}=${mark}\0`), signal);
}

/**
 * Returns a function that kills the commands that are in the namespace now, even when it has no name any more: a
 * namespace lasts as long as a process is in it. `uids`: users whose processes there all come from commands.
 */
export function commandsIn(namespace: NamespaceName, uids: ReadonlySet<number>): () => void {
  const network = networkOf(namespace);
  if (network === undefined) return () => {};
  const isCommand = (pid: number) => uids.has(userOf(pid)) || environmentOf(pid).includes(`${markName}=`);
  return () => signalAll((pid) => readlinkSync(`/proc/${pid}/ns/net`) === network && isCommand(pid), 'SIGKILL');
}

/** Returns what the kernel calls it, or undefined if there is none. */
function networkOf(namespace: NamespaceName): string | undefined {
  const stats = statSync(`/run/netns/${namespace}`, { throwIfNoEntry: false });
  return stats && `net:[${stats.ino}]`;
}

function environmentOf(pid: number): string {
  return readFileSync(`/proc/${pid}/environ`, 'latin1');
}

/** Returns the effective user. */
function userOf(pid: number): number {
  return Number(/^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function signalAll(isMeant: (pid: number) => boolean, signal: NodeJS.Signals): void {
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (isMeant(pid)) process.kill(pid, signal);
    } catch {
      // It has ended, or this process may not look at it.
    }
  }
}
