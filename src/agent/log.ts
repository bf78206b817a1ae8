import { appendFileSync, renameSync, statSync } from 'node:fs';

export type Log = (event: string) => void;

/** The largest size of the file; after that it is renamed to `.old`, replacing the previous one. */
const maxBytes = 1024 * 1024;

/**
 * Appends one line per event. If that fails, for example because the disk is full, the agent continues without a log:
 * traffic does not need it.
 */
export function openLog(path: string): Log {
  return (event) => {
    try {
      if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > maxBytes) renameSync(path, `${path}.old`);
      appendFileSync(path, `${new Date().toISOString()} ${event.replaceAll('\n', '; ')}\n`, { mode: 0o600 });
    } catch {
      // There is no place to report this.
    }
  };
}
