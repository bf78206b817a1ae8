/** A database that becomes full during a migration causes no loss, and the migration can be finished or undone. */
import { beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { networkOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');

describeAsRoot('a database that becomes full', () => {
  const own = ownTestbed(file);
  let initial: unknown;
  beforeAll(async () => {
    await own.vnm.ok('install', file);
    initial = await networkOf(own.testbed);
  });

  async function migrateFull(phase: string) {
    const { code, stdout, stderr } = await own.vnm.runFull(phase, '--json migrate two --to final --traffic');
    const { outcome, error, flows } = JSON.parse(stdout) as MigrateResult;
    expect({ code, outcome }, stderr).toEqual({ code: 6, outcome: 'failed' });
    expect(flows).toMatchObject([{ from: 'e1', to: 'e2', lost: 0, duplicated: 0 }]);
    expect(error).toBeDefined();
    const told = stderr.split('\n').filter((line) => line.includes('not everything is recorded'));
    expect(told).toEqual([expect.stringContaining(`the database ${own.vnm.database} failed: the disk is full`)]);
    return error;
  }

  async function expectOn(placement: string): Promise<void> {
    const { vns } = await own.vnm.ok<SliceStatus>('status two');
    expect(vns).toMatchObject([{ placement, instances: [{ placement, state: 'active' }] }]);
    expect(await own.vnm.ok('verify two')).toMatchObject({ ok: true });
  }

  it.each(['clone', 'redirect'])(
    "a migration with a full database from '%s' on redirects nothing, and rollback ends it",
    async (phase) => {
      expect(await migrateFull(phase)).toContain('the disk is full');
      expect(await networkOf(own.testbed)).toEqual(initial);
      expect(await own.vnm.ok<MigrateResult>('rollback two')).toMatchObject({ outcome: 'rolled-back' });
      expect(await networkOf(own.testbed)).toEqual(initial);
      await expectOn('initial');
    },
  );

  it.each(['verify', 'retire'])(
    "a migration with a full database from '%s' on stays redirected, and resume ends it",
    async (phase) => {
      expect(await migrateFull(phase)).toContain('the disk is full');
      expect(await own.vnm.ok<MigrateResult>('resume two')).toMatchObject({ outcome: 'completed' });
      await expectOn('final');
      await own.vnm.ok('migrate two --to initial');
      initial = await networkOf(own.testbed);
    },
  );
});
