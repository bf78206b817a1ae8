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

  it('a lock that a busy database cannot release is released as soon as possible', async () => {
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

  it('a holder is dead when its process has ended', () => {
    expect(here).toMatchObject({ host: hostname(), pid: process.pid });
    expect(isDead(here)).toBe(false);
    expect(isDead({ ...here, processStart: '1' })).toBe(true);
    expect(isDead({ ...here, pid: 2 ** 22 + 1 })).toBe(true);
  });

  it.runIf(here.boot !== '')('a holder of another boot is dead, whatever its host name', () => {
    const boot = '00000000-0000-4000-8000-000000000000';
    expect(isDead({ ...here, boot })).toBe(true);
    expect(isDead({ ...here, boot, host: 'elsewhere' })).toBe(true);
  });

  it('a holder with another host name in the same boot cannot be checked and counts as running', () =>
    expect(isDead({ ...here, host: 'elsewhere', pid: 2 ** 22 + 1 })).toBe(false));
});
