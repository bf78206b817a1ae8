/** The signals that interrupt a command: Ctrl-C (SIGINT), a request to end (SIGTERM), a closed terminal (SIGHUP). */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Calls `interrupt` for each of these signals, and when the process that launched this one under another Node.js
 * (launch.mjs) was killed. Returns a function that stops this.
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
