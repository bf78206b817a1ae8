/** The database forgets what was on a testbed that is taken down. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSlice } from '../../src/slicefile/index.ts';
import type { Store } from '../../src/store/store.ts';
import { takeDown } from '../../src/testbed/manage.ts';
import { migrationStart } from '../support/migrations.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

let store: Store;
let remove: () => void;
beforeEach(() => {
  ({ store, remove } = temporaryStore());
});
afterEach(() => remove());

it('an interrupted migration ends with its nodes, so that the VN can be installed again', async () => {
  const slice = readSlice(gallery('two-node'));
  const [vn] = slice.vns;
  store.slices.save(slice);
  const id = store.migrations.start(migrationStart({ slice: slice.name, vn: vn!.name }));
  expect(store.migrations.unfinished(slice.name)).toHaveLength(1);
  await takeDown(store);
  expect(store.migrations.unfinished(slice.name)).toEqual([]);
  expect(store.migrations.find(id)).toMatchObject({ outcome: 'failed', error: 'the testbed was taken down' });
});

it('a migration on real nodes stays interrupted', async () => {
  const slice = readSlice(gallery('two-node'));
  const nodes = [...slice.nodes.values()].map(
    (node) => [node.name, { ...node, host: `${node.name}.example.org` }] as const,
  );
  store.slices.save({ ...slice, nodes: new Map(nodes) });
  store.migrations.start(migrationStart({ slice: slice.name, vn: slice.vns[0]!.name }));
  await takeDown(store);
  expect(store.migrations.unfinished(slice.name)).toHaveLength(1);
});
