import { spawnSync } from 'node:child_process';

/** The timing thread waits for the tools, so they run at a higher priority. */
export const threadPriority = 50;
export const toolPriority = threadPriority + 1;

/**
 * Gives a process or thread, by its id, real-time priority. Where that is not allowed everything still works, with less
 * exact timing on a busy machine.
 */
export function makeRealtime(id: number, priority: number): void {
  spawnSync('chrt', ['--fifo', '--pid', String(priority), String(id)]);
}
