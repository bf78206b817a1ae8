import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { flow, migrationStart, redirection } from '../support/migrations.ts';
import { temporaryStore } from '../support/temporary-store.ts';

let store: Store;
let remove: () => void;

beforeEach(() => {
  ({ store, remove } = temporaryStore());
});
afterEach(() => remove());

describe('events', () => {
  test('events can be read from a position on, for all slices or for one', () => {
    expect(store.events.lastId()).toBe(0);
    store.events.add('three', 'installed', "VN 'three'");
    store.events.add(undefined, 'pruned', '7 events', { count: 7 });
    store.events.add('three', 'reconciled', '1 difference', [{ node: 'n1' }]);
    const ids = store.events.after(0, 10).map(({ id }) => id);
    expect(ids).toHaveLength(3);
    expect(store.events.lastId()).toBe(ids[2]);
    expect(store.events.after(ids[0]!, 1)).toMatchObject([
      { id: ids[1], slice: null, kind: 'pruned', message: '7 events', detail: { count: 7 } },
    ]);
    expect(store.events.after(ids[0]!, 10, 'three')).toMatchObject([{ id: ids[2], detail: [{ node: 'n1' }] }]);
    expect(store.events.after(ids[2]!, 10)).toEqual([]);
    expect(store.events.list('three')).toMatchObject([
      { id: ids[2], kind: 'reconciled' },
      { id: ids[0], kind: 'installed', detail: null },
    ]);
  });
});

describe('migrations', () => {
  test('migrations can be read from a position on', () => {
    expect(store.migrations.lastId()).toBe(0);
    const ids = ['a', 'b', 'c'].map((vn) => store.migrations.start(migrationStart({ vn })));
    expect(store.migrations.lastId()).toBe(ids[2]);
    expect(store.migrations.after(ids[0]!, 1)).toMatchObject([{ id: ids[1], vn: 'b' }]);
    expect(store.migrations.after(0, 10).map(({ id }) => id)).toEqual(ids);
    expect(store.migrations.after(ids[2]!, 10)).toEqual([]);
  });

  test('detail returns the complete record of a migration', () => {
    const id = store.migrations.start(migrationStart());
    store.migrations.phase(id, 'set up', 1000);
    store.migrations.phase(id, 'redirect', 1500);
    const redirections = [redirection('g1', 2000, 0.1, 0.2), redirection('g2', 2000, 0.3, 0.2)];
    const flows = [flow('e2', 'e1', 100, 0), flow('e1', 'e2', 90, 3)];
    store.migrations.saveRedirections(id, redirections);
    store.migrations.saveFlows(id, flows);
    const flips = ['b', 'g1'].map((neighbour, index) => ({
      ...{ router: 'a', neighbour, to: 'n3' },
      ...{ startedAt: 1600 + index, finishedAt: 1601 + index },
    }));
    for (const flip of flips) store.migrations.addFlip(id, flip);
    expect(store.migrations.detail(id)).toEqual({
      ...store.migrations.find(id),
      phases: [
        { name: 'set up', startedAt: 1000, finishedAt: 1500 },
        { name: 'redirect', startedAt: 1500, finishedAt: null },
      ],
      redirections,
      flips,
      flows,
    });
    expect(store.migrations.detail(id + 1)).toBeUndefined();
  });
});
