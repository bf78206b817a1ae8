/** An experiment on nodes that are reached over SSH, which a testbed plays: only the slice file differs. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseCsv } from '../../src/experiment/table.ts';
import { type CommandLine, commandLine } from '../support/command-line.ts';
import { networkOf } from '../support/kernel.ts';
import { ownTestbed, withHosts } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const slice = gallery('two-node');
const experiment = `experiment: hosts
slice: two.yaml
testbed: kernel
repetitions: 1
fixed: { urpf: strict }
vary: { D: [0, 200] }
`;

describeAsRoot('an experiment on nodes with a host', () => {
  const own = ownTestbed(slice);
  /** Knows nothing of the testbed. */
  let user: CommandLine;
  beforeAll(() => {
    user = commandLine();
    mkdirSync(join(user.directory, 'local'));
    writeFileSync(join(user.directory, 'local/two.yaml'), readFileSync(slice));
    writeFileSync(join(user.directory, 'two.yaml'), withHosts(slice, own.testbed.nodes));
    for (const file of ['local/hosts.yaml', 'hosts.yaml']) writeFileSync(join(user.directory, file), experiment);
  });
  afterAll(() => user.remove());

  const run = '--accept-new-host-keys experiment run hosts.yaml';

  it('is refused while the slice is installed from another database', async () => {
    await own.vnm.ok('install', slice);
    expect(await user.json(run)).toMatchObject({
      code: 1,
      json: {
        error: { code: 'conflict', hint: expect.stringContaining('run pl-vnm uninstall two with the database') },
      },
    });
    expect(readdirSync(join(user.directory, 'results/hosts'))).toEqual([]);
    // What is installed stays.
    expect(await own.vnm.ok('verify two')).toMatchObject({ ok: true });
    await own.vnm.ok('uninstall two');
  });

  it('needs no change but the hosts, goes on after SIGKILL, and leaves nothing on the nodes', async () => {
    expect(await user.ok('validate local/hosts.yaml hosts.yaml')).toEqual({ ok: true, faults: [] });
    const before = await networkOf(own.testbed);
    const running = user.start(run);
    await running.said('- run 1/2');
    const [start] = readdirSync(join(user.directory, 'results/hosts'));
    const folder = join(user.directory, 'results/hosts', start!);
    const events = join(folder, 'runs/0002.partial/events.jsonl');
    while (!existsSync(events) || !readFileSync(events, 'utf8').includes('"join gateways"')) await sleep(20);
    running.kill();
    await running.finished;
    expect(await networkOf(own.testbed)).not.toEqual(before);

    const { json, stderr } = await user.json('experiment resume', folder);
    expect(stderr).toContain('- testbed: none (all nodes have a host)\n');
    expect(json).toMatchObject({ runs: { planned: 2, completed: 2 } });
    const samples = parseCsv(readFileSync(join(folder, 'samples.csv'), 'utf8'), 'samples.csv').rows;
    expect(samples.map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
    expect(await networkOf(own.testbed)).toEqual(before);
    expect(readdirSync(folder)).not.toContain('.state');
  });
});
