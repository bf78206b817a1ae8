import { readFileSync } from 'node:fs';

/**
 * Returns what `ssh` has written to its log so far; it may not have begun. Synchronous: the file is small, and many
 * asynchronous reads would wait for each other.
 */
export function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
