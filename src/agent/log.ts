import { appendFileSync, renameSync, statSync } from 'node:fs';

export type Log = (event: string) => void;

/** Then the file becomes `.old`, in place of the one before. */
const maxBytes = 1024 * 1024;

/** Appends one line per event. Where that fails, since the disk is full, the agent goes on without: traffic does not need the log. */
export function openLog(path: string): Log {
  return (event) => {
    try {
      if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > maxBytes) renameSync(path, `${path}.old`);
      appendFileSync(path, `${new Date().toISOString()} ${event.replaceAll('\n', '; ')}\n`, { mode: 0o600 });
    } catch {
      // There is nowhere to say so.
    }
  };
}
