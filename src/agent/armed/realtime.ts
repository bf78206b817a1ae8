import { spawnSync } from 'node:child_process';

/** For a process or a thread, by its number. Where it is not allowed everything works, less exactly on a busy machine. */
export function becomeRealtime(id: number, priority: number): void {
  spawnSync('chrt', ['--fifo', '--pid', String(priority), String(id)]);
}
