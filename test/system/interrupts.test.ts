/** Ctrl-C at any moment leaves nothing half-done. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import type { VerifyResult } from '../../src/controller/verify.ts';
import { type CommandLine, commandLine } from '../support/command-line.ts';
import { networkOf } from '../support/kernel.ts';
import { leftoversOf, ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');

describeAsRoot('interrupted', () => {
  const own = ownTestbed(file);
  let before: unknown;
  beforeAll(async () => {
    before = await networkOf(own.testbed);
  });

  /** What a command with `--json` answers that is interrupted once it has said `text`. */
  async function interruptAt(text: string, command: string, ...more: string[]) {
    const running = own.vnm.start(`--json ${command}`, ...more);
    await running.said(text);
    running.interrupt();
    const { code, stdout } = await running.finished;
    return { code, json: JSON.parse(stdout) as unknown };
  }

  it('while it installs, it takes down what it made', async () => {
    expect(await interruptAt("- install VN 'two' on placement 'initial'\n", 'install', file)).toEqual({
      code: 130,
      json: { error: expect.objectContaining({ code: 'interrupted' }) },
    });
    expect(await networkOf(own.testbed)).toEqual(before);
    const { vns } = await own.vnm.ok<SliceStatus>('status two');
    expect(vns).toMatchObject([{ placement: null, instances: [] }]);
  });

  describe('while it migrates', () => {
    let installed: unknown;
    beforeAll(async () => {
      await own.vnm.ok('install', file);
      installed = await networkOf(own.testbed);
    });

    it.each(['set up', 'join gateways', 'measure'])(
      "in the phase '%s', it goes back to where the VN was",
      async (phase) => {
        const { code, json } = await interruptAt(`- ${phase}\n`, 'migrate two --to final --traffic');
        const { outcome, interrupted, flows } = json as MigrateResult;
        expect({ code, outcome, interrupted }).toEqual({ code: 130, outcome: 'rolled-back', interrupted: true });
        expect(flows).toMatchObject([{ from: 'e1', to: 'e2', lost: 0 }]);
        expect(await networkOf(own.testbed)).toEqual(installed);
        const { vns } = await own.vnm.ok<SliceStatus>('status two');
        expect(vns).toMatchObject([{ placement: 'initial', instances: [{ placement: 'initial', state: 'active' }] }]);
        expect(await own.vnm.ok<VerifyResult>('verify two')).toMatchObject({ ok: true });
      },
    );
  });
});

describeAsRoot('testbed up, interrupted', () => {
  let vnm: CommandLine;
  beforeAll(() => {
    vnm = commandLine();
  });
  afterAll(async () => {
    expect(await vnm.ok('testbed down')).toEqual({ removed: [] });
    vnm.remove();
  });

  it('takes down what it made', async () => {
    const running = vnm.start('--json testbed up', file);
    await running.said('8 nodes: SSH servers');
    running.interrupt();
    const { code, stdout } = await running.finished;
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect({ exitCode: code, ...error }).toEqual({
      exitCode: 130,
      code: 'interrupted',
      message: expect.stringMatching(/^testbed '\w+' was interrupted and taken down$/),
    });
    expect(await vnm.ok('testbed status')).toEqual({ testbeds: [] });
    expect(leftoversOf(vnm, error.message.split("'")[1]!)).toEqual([]);
  });
});
