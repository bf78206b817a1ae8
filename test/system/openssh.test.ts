/** The same life cycle on nodes with OpenSSH, as on real ones. */
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
});
