/** Which process of this machine, across process ids that are used again. */
import { readFileSync } from 'node:fs';

/** The id of this boot of the machine; '' if the system has none. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/**
 * When the process started; undefined if there is no such process, '' if it runs and the system does not say since
 * when.
 */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may contain anything. The state and the other fields follow it; the start is field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Z and X: the process has ended, and its exit status has not been collected.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return isAlive(pid) ? '' : undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
