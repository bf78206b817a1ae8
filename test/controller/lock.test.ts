import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import { isDead, isLocked, thisProcess, withLock } from '../../src/controller/base/lock.ts';
import type { Store } from '../../src/store/store.ts';
import { temporaryStore } from '../support/temporary-store.ts';

describe('a lock', () => {
  let store: Store;
  let remove: () => void;
  beforeEach(() => {
    ({ store, remove } = temporaryStore());
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
    remove();
  });

  it('that a busy database keeps is let go as soon as that is possible', async () => {
    let busy = 2;
    const release = (id: number) => {
      busy -= 1;
      if (busy >= 0) throw new Error('database is locked');
      store.locks.release(id);
    };
    const context: Context = {
      store: { ...store, locks: { ...store.locks, release } },
      acceptNewHostKeys: false,
      report: () => {},
    };
    const target = { slice: 's', vn: 'v', command: 'migrate' };
    expect(await withLock(context, target, async () => 'done')).toBe('done');
    expect(isLocked(context, 's', 'v')).toBe(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(isLocked(context, 's', 'v')).toBe(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(isLocked(context, 's', 'v')).toBe(false);
  });
});

describe('a holder', () => {
  const here = thisProcess();

  it('lives while its process does', () => {
    expect(here).toMatchObject({ host: hostname(), pid: process.pid });
    expect(isDead(here)).toBe(false);
    expect(isDead({ ...here, processStart: '1' })).toBe(true);
    expect(isDead({ ...here, pid: 2 ** 22 + 1 })).toBe(true);
  });

  it.runIf(here.boot !== '')('of another boot is dead, whatever its machine is called', () => {
    const boot = '00000000-0000-4000-8000-000000000000';
    expect(isDead({ ...here, boot })).toBe(true);
    expect(isDead({ ...here, boot, host: 'elsewhere' })).toBe(true);
  });

  it('under another host name in the same boot cannot be asked, and is taken to live', () =>
    expect(isDead({ ...here, host: 'elsewhere', pid: 2 ** 22 + 1 })).toBe(false));
});
