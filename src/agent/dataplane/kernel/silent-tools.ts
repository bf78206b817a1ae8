/**
 * Ends tools that do not answer. The timing thread waits for a tool's answer in a blocking read: nothing is quicker,
 * and only the end of the tool can end the read. So another thread watches how long it waits.
 *
 * Two Int32 are shared: the id of the process that the thread waits for, 0 if none, and the number of waits.
 */

/** A tool that has not answered for this time, or up to twice as long, is ended. */
export const patienceMs = 1000;
export const waitingBytes = 8;
/** Replaces the process id once the process is ended. */
export const endedAsSilent = -1;

/** Watches until the returned function is called. */
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

/** Kills a tool, which may have ended already. */
export function endTool(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
