import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Context, Progress } from '../../src/controller/base/context.ts';
import { recordStart, startPhases } from '../../src/controller/migration/phases.ts';
import { sliceStatus } from '../../src/controller/status.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { asDatabaseError } from '../../src/store/database-error.ts';
import type { Store } from '../../src/store/store.ts';
import { migrationStart } from '../support/migrations.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

let store: Store;
let remove: () => void;
let context: Context;
beforeEach(() => {
  ({ store, remove } = temporaryStore());
  context = { store, acceptNewHostKeys: false, report: () => {} };
});
afterEach(() => remove());

it('a migration adds an event for its begin and for each phase', () => {
  store.slices.save(readSlice(gallery('three-node')));
  const id = store.migrations.start(migrationStart());
  recordStart(context, id);
  const phases = startPhases(context, id);
  for (const name of ['set up', 'clone'] as const) phases.begin(name);
  const detail = { migration: id, vn: 'three' };
  const words = "VN 'three' from placement 'initial' to 'final'";
  expect(store.events.after(0, 10)).toMatchObject([
    { slice: 'three', kind: 'migration-started', message: words, detail: { ...detail, from: 'initial', to: 'final' } },
    { slice: 'three', kind: 'migration-phase', message: `${words}: set up`, detail: { ...detail, phase: 'set up' } },
    { slice: 'three', kind: 'migration-phase', message: `${words}: clone`, detail: { ...detail, phase: 'clone' } },
  ]);
  const { events } = sliceStatus(store, store.slices.find('three')!);
  expect(events.map(({ kind }) => kind)).toEqual(['migration-started']);
});

it('a phase is reported with the share of the migration that is done, that of a trial without', () => {
  store.slices.save(readSlice(gallery('three-node')));
  const reported: Progress[] = [];
  const reporting = { ...context, report: (progress: Progress) => reported.push(progress) };
  startPhases(reporting, store.migrations.start(migrationStart())).begin('clone');
  startPhases(reporting).begin('clone');
  expect(reported).toEqual([
    { kind: 'phase', text: 'clone', done: { parts: 2, of: 11 } },
    { kind: 'phase', text: 'clone' },
  ]);
});

it('a trial, which is not recorded, adds no events', () => {
  startPhases(context).begin('set up');
  expect(store.events.lastId()).toBe(0);
});

it.each([
  ['SQLITE_FULL', 'the disk is full'],
  ['SQLITE_BUSY', 'another process has locked it'],
])('a phase that cannot be recorded (%s) stops the migration only if it begins another stage', (code, what) => {
  store.slices.save(readSlice(gallery('three-node')));
  const id = store.migrations.start(migrationStart());
  const notes: string[] = [];
  const fail = () => {
    throw asDatabaseError(new Database.SqliteError('no', code), store.path);
  };
  const migrations = { ...store.migrations, phase: fail };
  const broken = { ...store, migrations, events: { ...store.events, add: fail } };
  const report = ({ kind, text }: Progress) => void (kind === 'note' && notes.push(text));
  const phases = startPhases({ ...context, store: broken, report }, id);
  for (const name of ['set up', 'clone'] as const) phases.begin(name);
  expect(notes).toEqual([`not everything is recorded: the database ${store.path} failed: ${what} (no)`]);
  expect(() => phases.begin('redirect')).toThrow(what);
  store.migrations.phase(id, 'redirect', 0);
  for (const name of ['verify', 'drain', 'roll back'] as const) phases.begin(name);
  for (const name of ['retire', 'remove the new instance'] as const) expect(() => phases.begin(name)).toThrow(what);
});
