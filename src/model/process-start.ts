/** Tells a process from a later one with the same number. */
import { spawnSync } from 'node:child_process';
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
 * When the process started, in words that only this system compares; undefined if there is no such process, '' if it
 * runs and the system does not say since when. `proc`: where Linux says it; elsewhere `ps` does.
 */
export function processStart(pid: number, proc = '/proc'): string | undefined {
  try {
    const stat = readFileSync(`${proc}/${pid}/stat`, 'utf8');
    // The name may contain anything. The state and the other fields follow it; the start is field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return hasEnded(fields[0]!) ? undefined : fields[19];
  } catch {
    return isAlive(pid) ? startByPs(pid) : undefined;
  }
}

/** Z and X: the process has ended, and its exit status has not been collected. */
function hasEnded(state: string): boolean {
  return state.startsWith('Z') || state.startsWith('X');
}

function startByPs(pid: number): string | undefined {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const { status, stdout } = spawnSync('ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], {
    env,
    encoding: 'utf8',
  });
  if (status !== 0) return '';
  const [state = '', ...start] = stdout.trim().split(/\s+/);
  return hasEnded(state) ? undefined : start.join(' ');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
