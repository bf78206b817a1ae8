/** A private folder for the control sockets and logs of the program `ssh`. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'pl-vnm-ssh-';
/** A socket's path has at most 104 bytes on some systems, of which `ssh` needs 17 for itself. */
const maxBase = 60;

let folder: string | undefined;
let count = 0;

/** Returns a path without its ending, in a folder that only this user can read and that ends with the process. */
export function newControlPath(): string {
  folder ??= makeFolder();
  count += 1;
  return join(folder, String(count));
}

function makeFolder(): string {
  const base = tmpdir().length <= maxBase ? tmpdir() : '/tmp';
  removeLeftOver(base);
  const made = mkdtempSync(join(base, `${prefix}${process.pid}-`));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Removes the folders of processes that were killed. Those of other users do not go. */
function removeLeftOver(base: string): void {
  for (const name of readdirSync(base)) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      rmSync(join(base, name), { recursive: true, force: true });
    } catch {
      // Of another user.
    }
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
