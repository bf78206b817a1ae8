/** A command with nothing to do succeeds and contacts no node. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { resume, rollback } from '../../src/controller/recover.ts';
import { uninstall } from '../../src/controller/uninstall.ts';
import { slotCount } from '../../src/model/room.ts';
import { routerNames } from '../../src/model/router.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { migrateForJob } from '../../src/service/job-migration.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

const read = readSlice(gallery('two-node'));
const initial = read.vns[0]!.placements.get('initial')!;
const vn = { ...read.vns[0]!, placements: new Map([...read.vns[0]!.placements, ['alias', new Map(initial)]]) };
const slice = { ...read, vns: [vn] };
const options = { control: 'gateway', schedule: 'optimal', granularity: 'gateway', traffic: false } as const;
const asIt = { outcome: 'unchanged', from: 'initial', phases: [], redirections: [], interrupted: false };

describe('a command with nothing to do', () => {
  const { store, remove } = temporaryStore();
  const context: Context = {
    store,
    acceptNewHostKeys: false,
    report: () => {},
    connections: {
      connect: () => Promise.reject(new Error('a node was asked')),
    } as unknown as NonNullable<Context['connections']>,
  };
  beforeAll(() => {
    store.slices.save(slice);
    const plan = (slot: number) => planInstance(slice, vn, initial, slot);
    const { record } = store.instances.add(
      'two',
      'two',
      'initial',
      slotCount(slice),
      plan,
      () => new Map(routerNames(vn).map((router) => [router, `pv-two_0-${router}`])),
    );
    store.instances.setState(record.id, 'active');
    store.instances.setSettings('two', 'two', { mtu: 1450, urpf: 'strict' });
  });
  afterAll(remove);

  it('migrate to the present placement is unchanged, also under another name', async () => {
    expect(await migrate(context, slice, vn, { ...options, to: 'initial' })).toMatchObject({ ...asIt, to: 'initial' });
    expect(await migrate(context, slice, vn, { ...options, to: 'alias' })).toMatchObject({ ...asIt, to: 'alias' });
    const forJob = migrateForJob(context, { slice: 'two', vn: 'two' }, { ...options, to: 'initial' });
    expect(await forJob).toMatchObject({ outcome: 'unchanged' });
    expect(store.migrations.list()).toEqual([]);
  });

  it('resume and rollback without an interrupted migration are unchanged', async () => {
    expect(await resume(context, slice, vn)).toMatchObject({ ...asIt, to: 'initial' });
    expect(await rollback(context, slice, vn)).toMatchObject({ ...asIt, to: 'initial' });
  });

  it('resume of a VN that is not installed reports that nothing was interrupted', async () => {
    const other = { ...vn, name: 'other' };
    await expect(resume(context, { ...slice, vns: [vn, other] }, other)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('a second uninstall removes nothing', async () => {
    for (const { id } of store.instances.list({ slice: 'two' })) store.instances.remove(id);
    expect(await uninstall(context, slice)).toEqual({ slice: 'two', vns: [], changed: 0 });
  });
});
