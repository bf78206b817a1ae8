/** Ctrl-C at any moment leaves nothing half done. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { type CommandLine, commandLine } from '../support/command-line.ts';
import { networkOf } from '../support/kernel.ts';
import { leftoversOf, ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');

describeAsRoot('an interrupted command', () => {
  const own = ownTestbed(file);
  let before: unknown;
  beforeAll(async () => {
    before = await networkOf(own.testbed);
  });

  /** The result of a command with `--json` that is interrupted once it has printed `text`. */
  async function interruptAt(text: string, command: string, ...more: string[]) {
    const running = own.vnm.start(`--json ${command}`, ...more);
    await running.said(text);
    running.interrupt();
    const { code, stdout } = await running.finished;
    return { code, json: JSON.parse(stdout) as unknown };
  }

  it('an interrupted install takes down what it made', async () => {
    expect(await interruptAt("- install VN 'two' on placement 'initial'\n", 'install', file)).toEqual({
      code: 130,
      json: { error: expect.objectContaining({ code: 'interrupted' }) },
    });
    expect(await networkOf(own.testbed)).toEqual(before);
    const { vns } = await own.vnm.ok<SliceStatus>('status two');
    expect(vns).toMatchObject([{ placement: null, instances: [] }]);
  });

  describe('migrate', () => {
    let installed: unknown;
    beforeAll(async () => {
      await own.vnm.ok('install', file);
      installed = await networkOf(own.testbed);
    });

    it.each(['set up', 'join gateways', 'measure'])(
      "a migration that is interrupted in the phase '%s' is rolled back",
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

const beforeRedirection = ['add nodes', 'set up', 'clone', 'join gateways', 'prove', 'measure'];
const fromRedirectionOn = ['redirect', 'verify', 'drain', 'retire'];

describeAsRoot('a migration whose terminal goes away', () => {
  const own = ownTestbed(file);
  /** The network with the VN on each placement. */
  const networks = new Map<string, unknown>();
  let at = 'initial';
  const other = () => (at === 'initial' ? 'final' : 'initial');
  beforeAll(async () => {
    await own.vnm.ok('install', file);
    for (const placement of ['initial', 'final']) {
      await own.vnm.ok('migrate two --to', placement);
      networks.set(placement, await networkOf(own.testbed));
    }
    await own.vnm.ok('migrate two --to initial');
  });

  /** Checks that nothing is half done: the VN is wholly on one placement, as if it had always been there. */
  async function expectWholeOn(placement: string) {
    at = placement;
    const { vns } = await own.vnm.ok<SliceStatus>('status two');
    expect(vns).toMatchObject([{ placement, instances: [{ placement, state: 'active' }] }]);
    expect(await networkOf(own.testbed)).toEqual(networks.get(placement));
  }

  async function hangUp(phase: string) {
    const running = own.vnm.start('migrate two --to', other());
    await running.said(`- ${phase}\n`);
    running.closeOutputs();
    running.signal('SIGHUP');
    return (await running.finished).code;
  }

  it.each(beforeRedirection)("a migration whose terminal goes away in the phase '%s' is rolled back", async (phase) => {
    const from = at;
    expect(await hangUp(phase)).toBe(130);
    await expectWholeOn(from);
  });

  it.each(fromRedirectionOn)("a migration whose terminal goes away in the phase '%s' is finished", async (phase) => {
    const to = other();
    await hangUp(phase);
    await expectWholeOn(to);
  });

  it('a migration completes when only the reader of its output goes away', async () => {
    const to = other();
    const running = own.vnm.start('migrate two --to', to);
    await running.said('- add nodes\n');
    running.closeOutputs();
    expect((await running.finished).code).toBe(0);
    await expectWholeOn(to);
  });

  it('a migration is rolled back on SIGTERM, and when the process that launched it is killed', async () => {
    const from = at;
    const running = own.vnm.launch('migrate two --to', other());
    await running.said('- set up\n');
    running.signal('SIGTERM');
    expect((await running.finished).code).toBe(130);
    await expectWholeOn(from);

    const launched = own.vnm.launch('migrate two --to', other());
    await launched.said('- set up\n');
    launched.kill();
    expect(await launched.finished).toMatchObject({
      code: null,
      stderr: expect.stringContaining('- remove the new instance\n'),
    });
    await expectWholeOn(from);
  });

  it('a migration whose output cannot be written has an exit code and a line for it', async () => {
    const { code, stderr } = await own.vnm.runTo('/dev/full', 'status two');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'pl-vnm: cannot write the output: ENOSPC: no space left on device, write\n',
    });
  });
});

describeAsRoot('an interrupted testbed up', () => {
  let vnm: CommandLine;
  beforeAll(() => {
    vnm = commandLine();
  });
  afterAll(async () => {
    expect(await vnm.ok('testbed down')).toEqual({ removed: [] });
    vnm.remove();
  });

  it('an interrupted testbed up takes down what it made', async () => {
    const running = vnm.start('--json testbed up', file);
    await running.said('8 nodes: starting SSH servers');
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
