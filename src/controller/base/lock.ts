/** Locks a VN or a whole slice for one command at a time; several VNs of a slice may migrate in parallel. */
import { hostname } from 'node:os';
import { sleep } from '../../clock/sleep.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { bootId, processStart } from '../../model/process-start.ts';
import type { Holder, LockRecord } from '../../store/locks.ts';
import type { Store } from '../../store/store.ts';
import type { Context } from './context.ts';

const pollMs = 250;
const releaseAgainMs = 1000;

export interface LockTarget {
  readonly slice: string;
  /** If absent, the whole slice. */
  readonly vn?: string | undefined;
  /** What the holder does, to show to others. */
  readonly command: string;
}

/**
 * Runs `body` while this process holds the lock, with a context that contains it. If another process holds the lock,
 * throws VnmError `conflict` that names it, or with `context.wait` waits. The lock of a process that has ended does not
 * count.
 */
export async function withLock<T>(
  context: Context,
  target: LockTarget,
  body: (locked: Context) => Promise<T>,
): Promise<T> {
  const id = await acquire(context, target);
  try {
    return await body({ ...context, lock: { vn: target.vn } });
  } finally {
    release(context, id);
  }
}

/**
 * Releases the lock; if that fails, retries later, and the lock ends with this process at the latest. Must not hide how
 * the work ended.
 */
function release({ store, report }: Context, id: number): void {
  try {
    store.locks.release(id);
  } catch (error) {
    report({ kind: 'note', text: `the lock could not be released yet: ${messageOf(error)}` });
    releaseLater(store, id);
  }
}

function releaseLater(store: Store, id: number): void {
  const again = () => {
    try {
      store.locks.release(id);
    } catch (error) {
      // A closed database throws a TypeError; a lock that is left in it ends with this process.
      if (!(error instanceof TypeError)) releaseLater(store, id);
    }
  };
  setTimeout(again, releaseAgainMs).unref();
}

/** Whether a running process holds a lock on the VN. */
export function isLocked({ store }: Pick<Context, 'store'>, slice: string, vn: string): boolean {
  return store.locks.list(slice).some((lock) => (lock.vn === null || lock.vn === vn) && !isDead(lock));
}

async function acquire(context: Context, { slice, vn, command }: LockTarget): Promise<number> {
  const holder = thisProcess();
  for (let isFirst = true; ; isFirst = false) {
    const got = context.store.locks.acquire({ slice, vn, command, holder }, isDead);
    if (typeof got === 'number') return got;
    if (context.wait !== true) throw busy(got);
    if (isFirst) context.report({ kind: 'note', text: `waiting for ${describe(got)}` });
    await sleep(pollMs, context.signal).catch(() => context.signal?.throwIfAborted());
  }
}

function busy(lock: LockRecord): VnmError {
  const what = lock.vn === null ? `slice '${lock.slice}'` : `VN '${lock.vn}' of slice '${lock.slice}'`;
  return new VnmError('conflict', `${what} is in use by ${describe(lock)}`, {
    hint: 'try again when it has ended, or use --wait',
  });
}

function describe({ command, pid, host, at }: LockRecord): string {
  return `'${command}' (process ${pid} on ${host}, since ${new Date(at).toISOString()})`;
}

export function thisProcess(): Holder {
  return { host: hostname(), boot: bootId(), pid: process.pid, processStart: processStart(process.pid) ?? '' };
}

/**
 * Whether the process has ended. A database belongs to one machine, so a holder from another boot has ended, also if
 * the database was copied from elsewhere. A holder with another host name in the same boot, as in a container, cannot
 * be checked and counts as running, and so does a process that runs when the system does not say since when.
 */
export function isDead({ host, boot, pid, processStart: start }: Holder): boolean {
  const thisBoot = bootId();
  if (boot !== '' && thisBoot !== '' && boot !== thisBoot) return true;
  if (host !== hostname()) return false;
  if (boot !== thisBoot) return true;
  const found = processStart(pid);
  return found === undefined || (found !== '' && start !== '' && found !== start);
}
