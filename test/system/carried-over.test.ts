/**
 * VNs that an earlier version has installed keep working with this one: nothing is set up again, and they migrate both
 * ways.
 */
import { expect, it, vi } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { layEarlierVersion } from '../carried-over/lay.ts';
import { networkOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Since version 6 the state on the nodes has not changed; `reconcile` adds what older versions did not have. */
const versions = [
  { version: 6, isCurrent: true },
  { version: 2, isCurrent: false },
] as const;

for (const { version, isCurrent } of versions) {
  describeAsRoot(`a VN that was installed with version ${version} of the database`, () => {
    const own = ownTestbed(gallery('two-node'));
    const verify = async () => expect(await own.vnm.ok('verify two')).toMatchObject({ ok: true });
    const migrate = async (to: string) => {
      const result = await own.vnm.ok<MigrateResult>(`migrate two --to ${to} --traffic`);
      expect(result).toMatchObject({ outcome: 'completed', to });
      expect(result.flows.map(({ lost, duplicated }) => [lost, duplicated])).toEqual(result.flows.map(() => [0, 0]));
    };

    it('a VN of an earlier version is on its placement and carries traffic', async () => {
      layEarlierVersion(version, own.testbed, own.vnm.database);
      const { vns } = await own.vnm.ok<SliceStatus>('status two');
      expect(vns).toMatchObject([
        { vn: 'two', placement: 'initial', mtu: 1500, instances: [{ state: 'active', slot: 0 }] },
      ]);
      await verify();
    });

    it('a VN of an earlier version matches the database, or differs only in later additions', async () => {
      const laid = await networkOf(own.testbed);
      const { code, json } = await own.vnm.json<{ equal: boolean }>('status two --live');
      expect({ code, equal: json.equal }).toEqual(isCurrent ? { code: 0, equal: true } : { code: 1, equal: false });
      expect(await networkOf(own.testbed)).toEqual(laid);
    });

    it('a VN of an earlier version migrates there and back without loss', async () => {
      await migrate('final');
      await verify();
      await migrate('initial');
      await verify();
    });

    it('a VN of an earlier version matches the database after reconcile, and is uninstalled without leftovers', async () => {
      if (!isCurrent) await own.vnm.ok('reconcile two');
      expect(await own.vnm.json('status two --live')).toMatchObject({ code: 0, json: { equal: true } });
      await verify();
      await own.vnm.ok('uninstall two');
      const { vns } = await own.vnm.ok<SliceStatus>('status two');
      expect(vns).toMatchObject([{ placement: null, instances: [] }]);
    });
  });
}
