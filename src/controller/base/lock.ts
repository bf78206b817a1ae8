/** One command at a time on a VN, or on a whole slice; several VNs of a slice may migrate at once. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { sleep } from '../../clock/sleep.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { Holder, LockRecord } from '../../store/locks.ts';
import type { Store } from '../../store/store.ts';
import type { Context } from './context.ts';

const pollMs = 250;
const releaseAgainMs = 1000;

export interface LockTarget {
  readonly slice: string;
  /** The whole slice without it. */
  readonly vn?: string | undefined;
  /** What the holder does, in words for others. */
  readonly command: string;
}

/**
 * Runs `body` while this process has the lock, with a context that says so. Throws VnmError `conflict` that names the holder, or with `context.wait` waits
 * until it has gone. The lock of a process that has ended, however, does not count.
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

/** What cannot be released now is later, or goes with this process. It must not hide how the work ended. */
function release({ store, report }: Context, id: number): void {
  try {
    store.locks.release(id);
  } catch (error) {
    report({ kind: 'note', text: `the lock stays a little longer: ${messageOf(error)}` });
    releaseLater(store, id);
  }
}

function releaseLater(store: Store, id: number): void {
  const again = () => {
    try {
      store.locks.release(id);
    } catch (error) {
      // A closed database is a TypeError; what is left in it goes with this process.
      if (!(error instanceof TypeError)) releaseLater(store, id);
    }
  };
  setTimeout(again, releaseAgainMs).unref();
}

/** Whether some living process works on it. */
export function isLocked({ store }: Pick<Context, 'store'>, slice: string, vn: string): boolean {
  return store.locks.list(slice).some((lock) => (lock.vn === null || lock.vn === vn) && !isDead(lock));
}

async function acquire(context: Context, { slice, vn, command }: LockTarget): Promise<number> {
  const holder = thisProcess();
  for (let isFirst = true; ; isFirst = false) {
    const got = context.store.locks.acquire({ slice, vn, command, holder }, isDead);
    if (typeof got === 'number') return got;
    if (context.wait !== true) throw busy(got);
    if (isFirst) context.report({ kind: 'note', text: `waits for ${describe(got)}` });
    await sleep(pollMs, context.signal).catch(() => context.signal?.throwIfAborted());
  }
}

function busy(lock: LockRecord): VnmError {
  const what = lock.vn === null ? `slice '${lock.slice}'` : `VN '${lock.vn}' of slice '${lock.slice}'`;
  return new VnmError('conflict', `${what} is in use by ${describe(lock)}`, {
    hint: 'try again when it has ended, or wait for it with --wait',
  });
}

function describe({ command, pid, host, at }: LockRecord): string {
  return `'${command}' (process ${pid} on ${host}, since ${new Date(at).toISOString()})`;
}

export function thisProcess(): Holder {
  return { host: hostname(), boot: bootId(), pid: process.pid, processStart: processStart(process.pid) ?? '' };
}

/**
 * A database is a file of one machine, so whoever was on it in another boot has ended, also where a copy came from elsewhere. Under
 * another host name in the same boot, as in a container, a process cannot be asked and is taken to live.
 */
export function isDead({ host, boot, pid, processStart: start }: Holder): boolean {
  const thisBoot = bootId();
  if (boot !== '' && thisBoot !== '' && boot !== thisBoot) return true;
  if (host !== hostname()) return false;
  return boot !== thisBoot || processStart(pid) !== start;
}

/** '' where the system has none. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Undefined when there is no such process; '' when it lives and the system does not say since when. */
function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which may hold anything, come state and the other fields; the start is the 22nd of all.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A process that has ended, and whose exit status has not been collected.
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
