/** The same life on nodes that OpenSSH serves, as real ones are. */
import { expect, it } from 'vitest';
import { networkOf, processesOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeWithProgram } from '../support/programs.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');

describeWithProgram('sshd', 'on nodes with OpenSSH', () => {
  const own = ownTestbed(file, '--server', 'openssh');

  it('a VN is installed, verified, migrated and uninstalled with nothing left', async () => {
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
    // Sessions end with the connections; the agent stays.
    const commands = processesOf(own.namespace('h1')).map(({ command }) => command);
    expect(commands.filter((command) => command.startsWith('sshd'))).toEqual([]);
  });
});
