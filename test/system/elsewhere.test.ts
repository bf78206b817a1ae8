/**
 * The two-node slice in user space on a system that is not Linux, as far as that can be tried on Linux: the programs of
 * the controller and of the testbed get another platform, and find no /proc. For agents, daemon-lock.test.ts does that.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import { elsewhere } from '../support/elsewhere.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeWithoutRoot } from '../support/programs.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');

// Elsewhere `ps` says which processes a testbed has.
describeWithoutRoot('ps', 'the two-node slice where there is no Linux', () => {
  const { NODE_OPTIONS } = process.env;
  beforeAll(() => {
    process.env.NODE_OPTIONS = elsewhere;
  });
  afterAll(() => {
    if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = NODE_OPTIONS;
  });
  const own = ownTestbed(file);

  it('a testbed in user space is chosen, and a kernel testbed is refused', async () => {
    expect(own.testbed.dataplane).toBe('userspace');
    const { code, stderr } = await own.vnm.run('testbed up', file, '--dataplane', 'kernel');
    expect([code, stderr.split('\n')[0]]).toEqual([1, 'pl-vnm: the kernel data plane needs Linux']);
    expect((await own.vnm.run('testbed status')).stdout).toContain('alive, relay');
  });

  it('a VN is installed, verified, migrated and uninstalled', async () => {
    await own.vnm.ok('install', file);
    expect((await own.vnm.ok<VerifyResult>('verify two')).ok).toBe(true);
    const { outcome, flows } = await own.vnm.ok<MigrateResult>('migrate two --to final --traffic');
    expect([outcome, flows.map(({ lost }) => lost)]).toEqual(['completed', flows.map(() => 0)]);
    expect((await own.vnm.run('reconcile two')).stdout).toContain('nothing to do');
    await own.vnm.ok('uninstall two');
  });
});
