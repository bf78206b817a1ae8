/** The end of the program. */

/**
 * Ends the process once its command has ended and nothing is open any more, and some time later even if resources are
 * still open, but not before all output is written: a terminal may be stopped. `onLeftOpen` gets the open resources.
 * `waitMs` is far longer than connections take to close.
 */
export function exitAfterCommand(onLeftOpen: (resources: string) => void, waitMs = 10_000): void {
  // Left to itself, Node.js closes what remains first, and on a busy machine sometimes never finishes.
  process.once('beforeExit', () => process.exit());
  const check = () => {
    if (process.stdout.writableLength > 0 || process.stderr.writableLength > 0) {
      setTimeout(check, waitMs).unref();
      return;
    }
    onLeftOpen([...new Set(process.getActiveResourcesInfo())].join(', '));
    process.exit();
  };
  setTimeout(check, waitMs).unref();
}
