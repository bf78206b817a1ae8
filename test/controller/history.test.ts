import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { historyTable, migrationDetailText } from '../../src/cli/history-text.ts';
import { thisProcess } from '../../src/controller/base/lock.ts';
import { history } from '../../src/controller/history.ts';
import { migrationDetailView } from '../../src/controller/views/migration.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { Store } from '../../src/store/store.ts';
import { flow, migrationStart, redirection } from '../support/migrations.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

let store: Store;
let remove: () => void;
beforeEach(() => {
  ({ store, remove } = temporaryStore());
  store.slices.save(readSlice(gallery('three-node')));
});
afterEach(() => remove());

const options = JSON.stringify({ to: 'final', control: 'gateway', schedule: 'optimal', granularity: 'peer' });

function completed(): number {
  const id = store.migrations.start(migrationStart({ options }));
  const startedAt = store.migrations.find(id)!.startedAt;
  store.migrations.phase(id, 'set up', startedAt);
  store.migrations.phase(id, 'redirect', startedAt + 500);
  store.migrations.saveRedirections(id, [redirection('ga', 5000, 0.125, 0.25)]);
  store.migrations.saveFlows(id, [flow('ha', 'hb', 100, 2), flow('hb', 'ha', 100, 1)]);
  store.migrations.finish(id, 'completed', startedAt + 2000);
  return id;
}

describe('the history', () => {
  it('the history of an empty database is empty', () => {
    expect(history({ store }, undefined, 20)).toEqual([]);
  });

  it('the history has migrations and the actions of other commands, newest first', () => {
    const done = completed();
    const failed = store.migrations.start(migrationStart({ from: 'final', to: 'initial', options }));
    store.migrations.phase(failed, 'clone', Date.now());
    store.migrations.finish(failed, 'rolled-back', Date.now(), 'interrupted');
    const left = store.migrations.start(migrationStart({ options }));
    store.events.add('three', 'uninstalled', "VN 'three'");
    store.events.add('three', 'health-down', 'no command');
    const entries = history({ store }, 'three', 20);
    expect(new Set(entries.map(({ what }) => what))).toEqual(new Set(['migrate', 'uninstalled']));
    expect(entries.find(({ what }) => what === 'uninstalled')).toMatchObject({ id: null, message: "VN 'three'" });
    const byId = (wanted: number) => entries.find(({ id }) => id === wanted);
    expect(byId(done)).toMatchObject({
      from: 'initial',
      to: 'final',
      outcome: 'completed',
      durationMs: 2000,
      sent: 200,
      lost: 3,
    });
    expect(byId(failed)).toMatchObject({ outcome: 'rolled-back', lost: null, message: 'interrupted' });
    expect(byId(left)).toMatchObject({ outcome: 'interrupted', durationMs: null });
    expect(entries.map(({ at }) => at)).toEqual(
      entries
        .map(({ at }) => at)
        .toSorted()
        .reverse(),
    );
    expect(history({ store }, 'three', 2)).toHaveLength(2);
    expect(history({ store }, 'other', 20)).toEqual([]);
    expect(historyTable(entries)).toMatch(
      / 1 {2}\S+Z {2}three {2}migrate VN 'three': initial -> final +completed +2\.0 {2}3\/200\n/,
    );
  });

  it('the history distinguishes a running migration from an interrupted one', () => {
    const id = store.migrations.start(migrationStart({ options }));
    store.locks.acquire({ slice: 'three', vn: 'three', command: 'migrate', holder: thisProcess() }, () => false);
    expect(history({ store }, undefined, 1)).toMatchObject([{ id, outcome: 'running' }]);
  });
});

describe('the details of a migration', () => {
  it('the details of a migration have the keys of the result of migrate', () => {
    const view = migrationDetailView({ store }, completed())!;
    expect(view).toMatchObject({
      slice: 'three',
      vn: 'three',
      from: 'initial',
      to: 'final',
      control: 'gateway',
      schedule: 'optimal',
      granularity: 'peer',
      urpf: 'feasible',
      outcome: 'completed',
      durationMs: 2000,
      phases: [
        { name: 'set up', ms: 500 },
        { name: 'redirect', ms: 1500 },
      ],
      moves: [{ router: 'a', from: 'p1', to: 'p4' }, {}, {}],
      fromRecord: [],
      redirections: [{ gateway: 'ga', startedAt: '1970-01-01T00:00:05.000125Z', lagMs: 0.125 }],
      flows: [{ lost: 2 }, { lost: 1 }],
      interrupted: false,
      unreachable: [],
    });
    expect(migrationDetailView({ store }, 99)).toBeUndefined();
  });

  it('the details of a migration are printed with their parts', () => {
    const id = completed();
    const text = migrationDetailText(store.migrations.detail(id)!, migrationDetailView({ store }, id)!);
    expect(text).toContain(`migration ${id}: VN 'three' of slice 'three' from 'initial' to 'final': completed\n`);
    expect(text).toContain('--control gateway --schedule optimal --granularity peer --urpf feasible\n');
    for (const heading of ['what moved', 'how long it took', 'when each gateway redirected', 'what the flows lost'])
      expect(text).toContain(`\n\n${heading}\n`);
    expect(text).toContain('3 of 200 packets lost');
  });

  it('the details of a migration that moved routers have their flips', () => {
    const id = completed();
    const flip = { router: 'a', neighbour: 'b', to: 'p4', startedAt: 5000, finishedAt: 5012.5 };
    store.migrations.addFlip(id, flip);
    store.migrations.addFlip(id, { ...flip, neighbour: 'ga' });
    const view = migrationDetailView({ store }, id)!;
    expect(view.flips).toEqual([
      { ...flip, startedAt: '1970-01-01T00:00:05.000Z', finishedAt: '1970-01-01T00:00:05.012500Z' },
      expect.objectContaining({ neighbour: 'ga' }),
    ]);
    const text = migrationDetailText(store.migrations.detail(id)!, view);
    expect(text).toMatch(/\n\nwhen each link was flipped\nrouter .*\n.*\na +b +p4 +\S+ +12\.5\na +ga /);
  });

  it('a stopped migration is shown as interrupted, with its error on one line', () => {
    const id = store.migrations.start(migrationStart({ options }));
    store.migrations.finish(id, 'rolled-back', Date.now(), 'interrupted');
    expect(migrationDetailView({ store }, id)).toMatchObject({
      interrupted: true,
      error: 'interrupted',
      moves: [{}, {}, {}],
    });
    const failed = store.migrations.start(migrationStart({ options }));
    store.migrations.finish(failed, 'failed', Date.now(), 'n1: gone\nn2: gone');
    const view = migrationDetailView({ store }, failed)!;
    expect(view).toMatchObject({ interrupted: false, unreachable: null });
    expect(migrationDetailText(store.migrations.detail(failed)!, view)).toContain('error     n1: gone\\u000an2: gone');
  });
});
