/** The end of the program. */

/**
 * Ends the process a while after its command has ended, whatever is still open. What waits to be printed keeps it: a terminal may stand
 * still. `tell`: what had been left open. `patienceMs`: far longer than connections take to close.
 */
export function leave(tell: (kept: string) => void, patienceMs = 10_000): void {
  const look = () => {
    if (process.stdout.writableLength > 0 || process.stderr.writableLength > 0) {
      setTimeout(look, patienceMs).unref();
      return;
    }
    tell([...new Set(process.getActiveResourcesInfo())].join(', '));
    process.exit();
  };
  setTimeout(look, patienceMs).unref();
}
