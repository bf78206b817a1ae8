/** The same life cycle on nodes with OpenSSH, as on real ones. */
import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { networkOf, processesOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeWithProgram } from '../support/programs.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');

describeWithProgram('sshd', 'on nodes with OpenSSH', () => {
  const own = ownTestbed(file, '--server', 'openssh');

  it('a VN on nodes with OpenSSH is installed, verified, migrated and uninstalled without leftovers', async () => {
    expect(own.testbed.server).toBe('openssh');
    const before = await networkOf(own.testbed);
    await own.vnm.ok('install', file);
    expect(await own.vnm.ok('verify two')).toMatchObject({ ok: true });
    await runsPrograms();
    expect(await own.vnm.ok('migrate two --to final --urpf feasible --traffic')).toMatchObject({
      outcome: 'completed',
      flows: [{ from: 'e1', to: 'e2', lost: 0 }],
    });
    expect(await own.vnm.ok('verify two')).toMatchObject({ ok: true });
    await own.vnm.ok('uninstall two');
    expect(await networkOf(own.testbed)).toEqual(before);
    // Sessions end with their connections; the agent keeps running.
    const commands = processesOf(own.namespace('h1')).map(({ command }) => command);
    expect(commands.filter((command) => command.startsWith('sshd'))).toEqual([]);
  });

  /** Exit codes, words and bytes arrive as with the testbed's own server, and Ctrl-C ends the program on the node. */
  async function runsPrograms(): Promise<void> {
    const at = (...command: string[]) => own.vnm.run('exec two e1 --', ...command);
    expect((await at('sh', '-c', 'exit 37')).code).toBe(37);
    expect((await at('no-such-program')).code).toBe(127);
    const words = ['two  words', "it's", '"$HOME" `id` $(id)', 'a\nb', '*', '', '--', '-v'];
    const print = 'console.log(JSON.stringify(process.argv.slice(1)))';
    expect(JSON.parse((await at(process.execPath, '-e', print, '--', ...words)).stdout)).toEqual(words);
    const bytes = randomBytes(300_000);
    const hashing = own.vnm.start('exec two e1 --', 'sha256sum');
    hashing.stdin.end(bytes);
    expect((await hashing.finished).stdout).toBe(`${createHash('sha256').update(bytes).digest('hex')}  -\n`);
    const stubborn = 'trap "echo got it; exit" INT; echo ready >&2; while :; do sleep 0.1; done';
    const waiting = own.vnm.start('exec two e1 --', 'sh', '-c', stubborn);
    await waiting.said('ready');
    waiting.interrupt();
    const { code, stdout } = await waiting.finished;
    expect([code, stdout]).toEqual([130, 'got it\n']);
  }
});
