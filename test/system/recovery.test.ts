/**
 * A controller that is killed at any moment leaves a migration that can be finished or undone, and no packet is lost
 * meanwhile.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { namespacesOf, networkOf, processesOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');

describeAsRoot('a migration whose controller is killed', () => {
  const own = ownTestbed(file);
  let initial: unknown;
  beforeAll(async () => {
    await own.vnm.ok('install', file);
    initial = await networkOf(own.testbed);
  });

  async function killIn(phase: string, command = 'migrate two --to final'): Promise<void> {
    const running = own.vnm.start(command);
    await running.said(`- ${phase}\n`);
    running.kill();
    await running.finished;
  }

  async function expectWhole(placement: string): Promise<void> {
    expect(await own.vnm.ok<VerifyResult>('verify two')).toMatchObject({ ok: true });
    const { vns } = await own.vnm.ok<SliceStatus>('status two');
    expect(vns).toMatchObject([{ placement, instances: [{ placement, state: 'active' }] }]);
  }

  const toInitial = async () => {
    await own.vnm.ok('migrate two --to initial');
    // Slots change, and with them the names.
    expect(namespacesOf(own.testbed)).toHaveLength(Object.keys(initial as object).length);
  };

  it.each(['set up', 'join gateways', 'measure', 'redirect', 'drain'])(
    "a migration whose controller is killed in '%s' is undone",
    async (phase) => {
      await killIn(phase);
      const { code, stderr } = await own.vnm.run('verify two');
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: expect.stringContaining(
          `the migration of VN 'two' of slice 'two' from 'initial' to 'final' was interrupted (${phase})`,
        ) as string,
      });
      expect(stderr).toContain('run pl-vnm resume two to finish it, or pl-vnm rollback two to undo it');
      const refused = await own.vnm.json<{ error: object }>('migrate two --to final');
      expect(refused).toMatchObject({ code: 1, json: { error: { code: 'conflict' } } });
      expect(await own.vnm.ok<MigrateResult>('rollback two')).toMatchObject({ outcome: 'rolled-back' });
      expect(await networkOf(own.testbed)).toEqual(initial);
      await expectWhole('initial');
      expect(await own.vnm.json('rollback two')).toMatchObject({
        code: 0,
        json: { outcome: 'unchanged', from: 'initial', to: 'initial' },
      });
    },
  );

  it.each(['clone', 'prove', 'redirect', 'verify', 'retire'])(
    "a migration whose controller is killed in '%s' is finished",
    async (phase) => {
      await killIn(phase);
      expect(await own.vnm.ok<MigrateResult>('resume two')).toMatchObject({ outcome: 'completed' });
      await expectWhole('final');
      await toInitial();
    },
  );

  it('a killed migration is finished even if a resume and a rollback of it are killed too', async () => {
    await killIn('clone');
    await killIn('redirect', 'resume two');
    await killIn('roll back', 'rollback two');
    expect(await own.vnm.ok<MigrateResult>('resume two')).toMatchObject({ outcome: 'completed' });
    await expectWhole('final');
    await toInitial();
  });

  it('resume continues a killed migration from its stage, however often it is interrupted', async () => {
    await killIn('retire');
    await killIn('retire', 'resume two');
    expect(await own.vnm.json('rollback two')).toMatchObject({ code: 1, json: { error: { code: 'conflict' } } });
    expect(await own.vnm.ok<MigrateResult>('resume two')).toMatchObject({ outcome: 'completed' });
    await expectWhole('final');
    await toInitial();
    await killIn('drain');
    await killIn('roll back', 'rollback two');
    await killIn('remove the new instance', 'rollback two');
    expect(await own.vnm.ok<MigrateResult>('rollback two')).toMatchObject({ outcome: 'rolled-back' });
    await expectWhole('initial');
  });

  it('a killed migration cannot be undone once the old instance is being taken down', async () => {
    await killIn('retire');
    const refused = await own.vnm.json<{ error: object }>('rollback two');
    expect(refused).toMatchObject({
      code: 1,
      json: {
        error: {
          code: 'conflict',
          message: "the old instance on 'initial' is already being taken down; all traffic is on 'final'",
          hint: 'run pl-vnm resume two to finish the migration, then migrate back',
        },
      },
    });
    await own.vnm.ok('resume two');
    await toInitial();
  });

  it('rollback removes the trial instance of a killed plan', async () => {
    await killIn('prove', 'plan two --to final');
    const refused = await own.vnm.json<{ error: object }>('migrate two --to final');
    expect(refused).toMatchObject({
      code: 1,
      json: { error: { hint: 'an earlier command was interrupted; run pl-vnm rollback two to remove the instance' } },
    });
    await own.vnm.ok('rollback two');
    await expectWhole('initial');
  });

  it('a gateway that is cut off after it was armed still redirects, and reports its result when it is back', async () => {
    const server = processesOf(own.namespace('gw1')).find(({ command }) => command.includes('ssh-server'))!.pid;
    const running = own.vnm.start('--json --verbose migrate two --to final --traffic');
    // A trial of arming has another id.
    await running.said(/gw1 <- arm \{"id":"m[\s\S]*gw1 -> arm after/);
    process.kill(server, 'SIGSTOP');
    try {
      const { code, stdout } = await running.finished;
      const { outcome, unreachable, error, flows } = JSON.parse(stdout) as MigrateResult;
      expect({ code, outcome, unreachable }).toEqual({ code: 4, outcome: 'failed', unreachable: ['gw1'] });
      expect(error).toMatch(/^not every gateway (confirmed that it redirected: gateway g1: |could be armed)/);
      expect(flows).toMatchObject([{ lost: 0 }]);
    } finally {
      process.kill(server, 'SIGCONT');
    }
    expect(await own.vnm.ok<MigrateResult>('resume two')).toMatchObject({ outcome: 'completed' });
    await expectWhole('final');
    await toInitial();
  });

  describe('two commands at the same time', () => {
    it('a second command at the same time is refused, or waits', async () => {
      const first = own.vnm.start('--json migrate two --to final');
      await first.said('- set up\n');
      const refused = await own.vnm.json<{ error: { message: string } }>('migrate two --to final');
      expect(refused).toMatchObject({
        code: 1,
        json: {
          error: {
            code: 'conflict',
            message: expect.stringMatching(
              /^VN 'two' of slice 'two' is in use by 'migrate --to final' \(process \d+ on /,
            ) as string,
            hint: 'try again when it has ended, or use --wait',
          },
        },
      });
      const waiting = await own.vnm.json<MigrateResult>('--wait migrate two --to initial');
      expect((await first.finished).code).toBe(0);
      expect(waiting).toMatchObject({ code: 0, json: { outcome: 'completed', to: 'initial' } });
      expect(waiting.stderr).toContain("waiting for 'migrate --to final'");
    });
  });

  afterAll(async () => {
    await own.vnm.ok('uninstall two');
  });
});
