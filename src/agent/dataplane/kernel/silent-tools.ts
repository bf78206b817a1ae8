/**
 * The timing thread waits for a tool's answer in a blocking read, which nothing is quicker than and nothing can end but the tool's
 * end. So another thread watches how long it waits.
 *
 * Shared are two Int32: the process that is waited for, 0 while there is none, and a count of the waits.
 */

/** A tool that has not answered for so long, or up to twice as long, is ended. */
export const patienceMs = 1000;
export const waitingBytes = 8;
/** In the place of the process, once it is ended. */
export const endedAsSilent = -1;

/** Looks until the returned function stops it. */
export function endSilentTools(waiting: Int32Array): () => void {
  let waits = 0;
  const timer = setInterval(() => {
    const pid = Atomics.load(waiting, 0);
    const isSame = waits === Atomics.load(waiting, 1);
    waits = Atomics.load(waiting, 1);
    if (pid > 0 && isSame && Atomics.compareExchange(waiting, 0, pid, endedAsSilent) === pid) endTool(pid);
  }, patienceMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** It may have ended by itself. */
export function endTool(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
