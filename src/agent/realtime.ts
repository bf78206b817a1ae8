import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** The timing thread waits for the tools, so they run at a higher priority. */
export const threadPriority = 50;
export const toolPriority = threadPriority + 1;
/** A switch forwards all the time, and must not make an armed action late. */
export const switchPriority = 10;

/**
 * Gives a process or thread, by its id, real-time priority. Where that is not allowed everything still works, with less
 * exact timing on a busy machine.
 */
export function makeRealtime(id: number, priority: number): void {
  spawnSync('chrt', ['--fifo', '--pid', String(priority), String(id)]);
}

/** As `makeRealtime`, for the thread that calls it. `own`: what Linux has instead of a function that says who it is. */
export function makeThisThreadRealtime(priority: number, own = '/proc/thread-self'): void {
  let id: number;
  try {
    id = Number(basename(readlinkSync(own)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  makeRealtime(id, priority);
}
