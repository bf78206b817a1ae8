/** Several VNs of a slice, and several slices on the same nodes, migrate at the same time. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const completed = { code: 0, json: { outcome: 'completed' } };
const lostOf = ({ json }: { json: MigrateResult }) => json.flows.map(({ lost }) => lost);

describeAsRoot('two VNs of a slice', () => {
  const own = ownTestbed(gallery('shared-nodes'));
  beforeAll(() => own.vnm.ok('install', gallery('shared-nodes')));

  it('two VNs of a slice migrate in parallel over the same nodes and lose nothing', async () => {
    for (const to of ['final', 'initial']) {
      const both = await Promise.all(
        ['red', 'blue'].map((vn) => own.vnm.json<MigrateResult>(`migrate shared --vn ${vn} --to ${to} --traffic`)),
      );
      expect(both).toMatchObject([completed, completed]);
      expect(both.flatMap(lostOf)).toEqual([0, 0, 0, 0]);
    }
    for (const vn of ['red', 'blue']) expect(await own.vnm.ok(`verify shared --vn ${vn}`)).toMatchObject({ ok: true });
  });

  it('a slice cannot be taken down while one of its VNs migrates', async () => {
    const migrating = own.vnm.start('--json migrate shared --vn red --to final');
    await migrating.said('- set up\n');
    expect(await own.vnm.json('uninstall shared')).toMatchObject({ code: 1, json: { error: { code: 'conflict' } } });
    expect((await migrating.finished).code).toBe(0);
  });
});

describeAsRoot('two slices on the same nodes', () => {
  /** The second slice is the first with another name and subnet. */
  const own = ownTestbed((directory) => {
    const path = join(directory, 'two.yaml');
    const text = readFileSync(gallery('two-node'), 'utf8');
    writeFileSync(path, text);
    writeFileSync(join(directory, 'twin.yaml'), text.replace('slice: two', 'slice: twin').replace('10.64.', '10.74.'));
    return path;
  }, 'twin.yaml');

  it('two slices on the same nodes migrate in parallel and lose nothing', async () => {
    await Promise.all([own.vnm.ok('install two.yaml'), own.vnm.ok('install twin.yaml')]);
    const both = await Promise.all(
      ['two', 'twin'].map((slice) => own.vnm.json<MigrateResult>(`migrate ${slice} --to final --traffic`)),
    );
    expect(both).toMatchObject([completed, completed]);
    expect(both.flatMap(lostOf)).toEqual([0, 0]);
    for (const slice of ['two', 'twin']) expect(await own.vnm.ok(`verify ${slice}`)).toMatchObject({ ok: true });
  });
});
