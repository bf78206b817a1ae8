/** The end of the program. */

/**
 * Ends the process some time after its command has ended, even if resources are still open, but not before all output
 * is written: a terminal may be stopped. `onLeftOpen` gets the open resources. `waitMs` is far longer than connections
 * take to close.
 */
export function exitAfterCommand(onLeftOpen: (resources: string) => void, waitMs = 10_000): void {
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
