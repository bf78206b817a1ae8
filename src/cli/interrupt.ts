/** Ctrl-C (SIGINT), the request to end (SIGTERM), a terminal that hung up (SIGHUP): all three ask for the same. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Calls `interrupt` for each such signal, and when the process that launched this one under another Node.js (launch.mjs) was killed.
 * Answers what undoes that.
 */
export function onInterrupt(interrupt: () => void): () => void {
  for (const signal of signals) process.on(signal, interrupt);
  const { channel } = process;
  if (channel != null) {
    process.on('disconnect', interrupt);
    // Listening must not keep this process alive.
    channel.unref();
  }
  return () => {
    for (const signal of signals) process.off(signal, interrupt);
    process.off('disconnect', interrupt);
  };
}
