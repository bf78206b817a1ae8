/** Every slice of the gallery migrates there and back, works, and leaves no trace. */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, it } from 'vitest';
import type { InstallResult } from '../../src/controller/install.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { networkOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const names = readdirSync(new URL('../../slices/', import.meta.url))
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => basename(file, '.yaml'));

/** The largest slice has 22 nodes, all on this machine. */
const patienceMs = 180_000;

for (const name of names) {
  const file = gallery(name);
  const slice = readSlice(file);

  describeAsRoot(`the slice '${name}'`, () => {
    const own = ownTestbed(file);
    const verifyAll = async () => {
      for (const vn of slice.vns) {
        const { ok, pairs } = await own.vnm.ok<VerifyResult>(`verify ${slice.name} --vn ${vn.name}`);
        expect({ vn: vn.name, ok, broken: pairs.filter((pair) => !pair.reachable) }).toMatchObject({
          ok: true,
          broken: [],
        });
      }
    };

    it(
      `the slice '${name}' is installed, migrates to each placement and back, and is uninstalled without leftovers`,
      async () => {
        const before = await networkOf(own.testbed);
        const { vns } = await own.vnm.ok<{ vns: InstallResult[] }>('install', file);
        expect(vns.map(({ vn }) => vn)).toEqual(slice.vns.map((vn) => vn.name));
        const installed = await networkOf(own.testbed);
        expect(installed).not.toEqual(before);
        for (const vn of slice.vns) {
          const others = [...vn.placements.keys()].filter((placement) => placement !== 'initial');
          for (const to of [...others, 'initial']) {
            const command = `migrate ${slice.name} --vn ${vn.name} --to ${to}`;
            expect(await own.vnm.ok<MigrateResult>(command)).toMatchObject({ outcome: 'completed', to });
          }
        }
        await verifyAll();
        // After the way back, it has the same names and addresses as at first.
        expect(await networkOf(own.testbed)).toEqual(installed);
        await own.vnm.ok(`uninstall ${slice.name}`);
        expect(await networkOf(own.testbed)).toEqual(before);
        const status = await own.vnm.ok<SliceStatus>(`status ${slice.name}`);
        expect(status.vns.map(({ placement, instances }) => ({ placement, instances }))).toEqual(
          slice.vns.map(() => ({ placement: null, instances: [] })),
        );
      },
      patienceMs,
    );
  });
}
