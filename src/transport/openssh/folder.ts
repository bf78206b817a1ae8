/** A private folder for the control sockets, logs and configurations of the program `ssh`. */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'pl-vnm-ssh-';
/** A socket's path has at most 104 bytes on some systems, of which `ssh` needs 17 for itself. */
const maxBase = 60;

let folder: string | undefined;
let count = 0;

/** Returns a path without its ending, in a folder that only this user can read and that ends with the process. */
export function newPrivatePath(): string {
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

/**
 * Removes the folders of this user's processes that were killed. Anyone may make something with such a name in a
 * shared folder, so only a directory that this program can have made is removed: root could remove all others, too.
 */
function removeLeftOver(base: string): void {
  for (const name of readdirSync(base)) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const path = join(base, name);
    try {
      if (isOwnFolder(path)) rmSync(path, { recursive: true, force: true });
    } catch {
      // Another process removes it at the same time.
    }
  }
}

/** Whether a path is a directory, and no link, with the owner and mode that `mkdtemp` gives. */
function isOwnFolder(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o777) === 0o700;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
