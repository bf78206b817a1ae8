import { afterEach, beforeEach, expect, test } from 'vitest';
import { planInstance } from '../../../src/planning/instance.ts';
import { followMigrations } from '../../../src/service/metrics/follow-migrations.ts';
import { readSlice } from '../../../src/slicefile/index.ts';
import type { MigrationDetail } from '../../../src/store/migrations.ts';
import type { Store } from '../../../src/store/store.ts';
import { flow, migrationStart, redirection } from '../../support/migrations.ts';
import { gallery } from '../../support/slices.ts';
import { temporaryStore } from '../../support/temporary-store.ts';

let store: Store;
let remove: () => void;

beforeEach(() => {
  ({ store, remove } = temporaryStore());
});
afterEach(() => remove());

const brief = (list: MigrationDetail[]) => list.map(({ id, outcome }) => [id, outcome]);
const start = () => store.migrations.start(migrationStart());

/** Adds a migration that can be resumed after it fails, since its new instance stays incomplete. */
function startInstalled(): number {
  const slice = readSlice(gallery('three-node'));
  store.slices.save(slice);
  const vn = slice.vns[0]!;
  const add = (placement: string) =>
    store.instances.add(
      slice.name,
      vn.name,
      placement,
      4,
      (slot) => planInstance(slice, vn, vn.placements.get(placement)!, slot),
      () => new Map(),
    ).record.id;
  const oldInstance = add('initial');
  store.instances.activate(oldInstance);
  const id = store.migrations.start(migrationStart({ oldInstance }));
  store.migrations.progress(id, { newInstance: add('final') });
  return id;
}

test('a migration counts once if it ends later, and not if it ended before', () => {
  store.migrations.finish(start(), 'completed', 1000);
  const ended = followMigrations(store.migrations);
  expect(ended()).toEqual([]);
  const id = start();
  expect(ended()).toEqual([]);
  store.migrations.finish(id, 'completed', 2000);
  expect(brief(ended())).toEqual([[id, 'completed']]);
  expect(ended()).toEqual([]);
});

test('a migration that was under way at the start counts when it ends', () => {
  const id = start();
  const ended = followMigrations(store.migrations);
  expect(ended()).toEqual([]);
  store.migrations.finish(id, 'rolled-back', 2000);
  expect(brief(ended())).toEqual([[id, 'rolled-back']]);
});

test('migrations that began and ended between two calls count, in any order, also at the same instant', () => {
  const ended = followMigrations(store.migrations);
  const [first, second, third] = [start(), start(), start()];
  store.migrations.finish(second, 'completed', 2000);
  store.migrations.finish(third, 'rolled-back', 2000);
  expect(brief(ended())).toEqual([
    [second, 'completed'],
    [third, 'rolled-back'],
  ]);
  // It ends last, with an earlier instant: the clock was set back.
  store.migrations.finish(first, 'completed', 1000);
  expect(brief(ended())).toEqual([[first, 'completed']]);
  expect(ended()).toEqual([]);
});

test('all of many migrations count', () => {
  const done: MigrationDetail[] = [];
  const ended = followMigrations({
    lastId: () => 0,
    after: (id, limit) => done.slice(id, id + limit),
    find: (id) => done[id - 1],
    detail: (id) => done[id - 1],
    unfinished: () => [],
  });
  store.migrations.finish(start(), 'completed', 5);
  const one = store.migrations.detail(1)!;
  done.push(...Array.from({ length: 450 }, (_, index) => ({ ...one, id: index + 1 })));
  expect(ended()).toEqual(done);
  expect(ended()).toEqual([]);
});

test('a failed migration that is resumed ends twice, the second time only with its new parts', () => {
  const ended = followMigrations(store.migrations);
  const id = startInstalled();
  store.migrations.phase(id, 'set up', 1000);
  store.migrations.phase(id, 'redirect', 2000);
  store.migrations.saveRedirections(id, [redirection('g1', 2500, 0.1, 0.2)]);
  store.migrations.saveFlows(id, [flow('e1', 'e2', 100, 3)]);
  store.migrations.finish(id, 'failed', 3000, 'n1 is unreachable');
  const [failed] = ended();
  expect(failed).toEqual(store.migrations.detail(id));
  expect(failed!.phases.map(({ name }) => name)).toEqual(['set up', 'redirect']);
  expect(ended()).toEqual([]);

  store.migrations.phase(id, 'redirect', 10_000);
  expect(ended()).toEqual([]);
  store.migrations.phase(id, 'retire', 11_000);
  store.migrations.saveRedirections(id, [redirection('g1', 10_500, 1, 1)]);
  store.migrations.finish(id, 'completed', 12_000);
  const [completed, ...more] = ended();
  expect(more).toEqual([]);
  expect(completed).toMatchObject({ id, outcome: 'completed', flows: [] });
  expect(completed!.phases).toEqual([
    { name: 'redirect', startedAt: 10_000, finishedAt: 11_000 },
    { name: 'retire', startedAt: 11_000, finishedAt: 12_000 },
  ]);
  expect(completed!.redirections.map(({ plannedAt }) => plannedAt)).toEqual([10_500]);
  expect(ended()).toEqual([]);
});

test('a migration that failed before the start counts only when it is resumed', () => {
  const id = startInstalled();
  store.migrations.finish(id, 'failed', 3000, 'n1 is unreachable');
  const ended = followMigrations(store.migrations);
  expect(ended()).toEqual([]);
  store.migrations.phase(id, 'roll back', 4000);
  store.migrations.finish(id, 'rolled-back', 5000);
  expect(brief(ended())).toEqual([[id, 'rolled-back']]);
  expect(ended()).toEqual([]);
});
