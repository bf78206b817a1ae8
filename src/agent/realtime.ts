import { spawnSync } from 'node:child_process';

/** The tools run before the thread that waits for them. */
export const threadPriority = 50;
export const toolPriority = threadPriority + 1;

/** For a process or a thread, by its number. Where it is not allowed everything works, less exactly on a busy machine. */
export function becomeRealtime(id: number, priority: number): void {
  spawnSync('chrt', ['--fifo', '--pid', String(priority), String(id)]);
}
