/** A control group of Linux, which counts the processor time of processes and of all that they start. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ControlGroup {
  /** From now on this process and its new children belong to the group. */
  add(pid: number): void;
  /** Processor time that the group has used so far, ms. */
  readonly usedMs: () => number;
  /** Resolves when it is removed, which takes until its last process has ended. */
  remove(): Promise<void>;
}

/** Throws if there is no control group version 2, or this process may not make one. */
export function makeControlGroup(name: string): ControlGroup {
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
  if (mount === undefined) throw new Error('this system has no control groups of version 2');
  const path = join(mount, name);
  mkdirSync(path);
  return {
    add: (pid) => writeFileSync(join(path, 'cgroup.procs'), String(pid)),
    usedMs: () => Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(path, 'cpu.stat'), 'utf8'))?.[1]) / 1000,
    remove: async () => {
      for (let tries = 100; ; tries -= 1) {
        try {
          return rmdirSync(path);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || tries === 0) throw error;
          await sleep(50);
        }
      }
    },
  };
}
