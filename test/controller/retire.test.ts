/** A retirement that could not be recorded can be finished later; nodes are simulated. */

import Database from 'better-sqlite3';
import { expect, it } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import { retire } from '../../src/controller/migration/finish.ts';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { startPhases } from '../../src/controller/migration/phases.ts';
import { recordResult } from '../../src/controller/migration/result.ts';
import type { Run } from '../../src/controller/migration/types.ts';
import { slotCount } from '../../src/model/room.ts';
import { routerNames } from '../../src/model/router.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { asDatabaseError } from '../../src/store/database-error.ts';
import { migrationStart } from '../support/migrations.ts';
import { playedAgents } from '../support/played-agents.ts';
import { inPlayedTime } from '../support/played-time.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

const slice = readSlice(gallery('two-node'));
const vn = slice.vns[0]!;

it('the old instance stays in the database until the settings are written, so that the migration is unfinished', () =>
  inPlayedTime(async () => {
    const { store, remove } = temporaryStore();
    store.slices.save(slice);
    const [old, fresh] = ['initial', 'final'].map((name) =>
      store.instances.add(
        slice.name,
        vn.name,
        name,
        slotCount(slice),
        (slot) => planInstance(slice, vn, vn.placements.get(name)!, slot),
        ({ slot }) => new Map(routerNames(vn).map((router) => [router, `pv-two_${slot}-${router}`])),
      ),
    );
    store.instances.activate(old!.record.id);
    store.instances.setSettings(slice.name, vn.name, { mtu: 1500, urpf: 'strict' });
    const id = store.migrations.start(migrationStart({ slice: slice.name, vn: vn.name, oldInstance: old!.record.id }));
    store.migrations.progress(id, { newInstance: fresh!.record.id });
    store.migrations.phase(id, 'verify', 0);
    // The database is full only at that moment.
    const setSettings = () => {
      throw asDatabaseError(new Database.SqliteError('no', 'SQLITE_FULL'), store.path);
    };
    const full = { ...store, instances: { ...store.instances, setSettings } };
    const context: Context = { store: full, acceptNewHostKeys: false, report: () => {} };
    const agents = playedAgents(slice);
    const to = { name: 'final', placement: fresh!.instance.placement };
    const phases = startPhases(context, id);
    const run: Run = {
      ...planVn(slice, vn),
      names: agents,
      context,
      agents,
      old: old!,
      to,
      urpf: 'feasible',
      gated: false,
      mtu: 1500,
      phases,
      id,
    };

    const failure = await retire(run, fresh!, 0).catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: 'the outcome could not be recorded completely' });
    recordResult(run, usualOptions, 'failed', { failure });
    expect(store.migrations.unfinished(slice.name, vn.name)).toMatchObject([{ id, state: 'retire' }]);
    expect(store.instances.list()).toMatchObject([{ id: old!.record.id }, { id: fresh!.record.id, state: 'active' }]);
    remove();
  }));
