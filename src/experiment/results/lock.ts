/** One process at a time works on a result folder. */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isDead, thisProcess } from '../../controller/base/lock.ts';
import { VnmError } from '../../model/errors.ts';
import type { Holder } from '../../store/locks.ts';

const name = 'lock.json';

/**
 * Locks the folder, and returns the function that releases it. The lock of a process that has ended does not count.
 * Throws VnmError `conflict`.
 */
export function lockFolder(folder: string): () => void {
  return lockBy(join(folder, name), folder);
}

function lockBy(path: string, folder: string): () => void {
  const own = `${path}.${randomUUID()}`;
  // It appears with its content, or not at all.
  writeFileSync(own, JSON.stringify(thisProcess()));
  try {
    for (;;) {
      try {
        linkSync(own, path);
        return () => rmSync(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = holderIn(path);
      if (holder === undefined) continue;
      // The folder may be on a disk that several machines share, and nothing is known of processes elsewhere.
      if (holder.host !== hostname() || !isDead(holder)) throw inUse(folder, path, holder);
      removeStale(path, holder, folder);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/**
 * Removes the lock of a process that has ended. Only one process at a time does so, by a lock like any other: the one
 * that it finds may be a new one by now.
 */
function removeStale(path: string, stale: Holder, folder: string): void {
  const unlock = lockBy(`${path}.stale`, folder);
  try {
    if (isDeepStrictEqual(holderIn(path), stale)) rmSync(path, { force: true });
  } finally {
    unlock();
  }
}

/** Undefined if it has just been released. */
function holderIn(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function inUse(folder: string, path: string, { pid, host }: Holder): VnmError {
  const hint =
    host === hostname() ? 'wait until it has ended, or interrupt it' : `if that process has ended, remove ${path}`;
  return new VnmError('conflict', `process ${pid} on ${host} works on ${folder}`, { hint });
}
