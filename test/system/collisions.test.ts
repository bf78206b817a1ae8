/**
 * A slice whose subnet is in use on its nodes: nothing is changed on any of them, and the message names the collision.
 */
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { DoctorResult } from '../../src/controller/doctor.ts';
import { commandLine } from '../support/command-line.ts';
import { ip, networkOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');
const uses = (words: string) => `slice 'two' (vnet 10.64.0.0/16) collides with what this node uses: ${words}`;

describeAsRoot('a subnet that nodes use', () => {
  const own = ownTestbed(file);
  const network = () => networkOf(own.testbed);
  const onGw1 = "address 10.64.9.1/32 of interface 'lo'";
  const onH2 = 'entry 10.64.0.0/12 (table 77)';

  it('a subnet in use is refused by install, which checks all nodes first, and reported by doctor', async () => {
    ip(own.namespace('gw1'), 'address add 10.64.9.1/32 dev lo');
    ip(own.namespace('h2'), 'route add blackhole 10.64.0.0/12 table 77');
    const before = await network();
    const { code, json, stderr } = await own.vnm.json('install', file);
    expect([code, json]).toMatchObject([1, { error: { code: 'conflict' } }]);
    for (const [node, words] of Object.entries({ gw1: onGw1, h2: onH2 })) {
      expect(stderr).toContain(`node '${node}': ${uses(words)}`);
    }
    expect(stderr).not.toContain("node 'gw2'");
    const doctor = await own.vnm.json<DoctorResult>('doctor', file);
    expect(doctor.code).toBe(1);
    const problems = doctor.json.nodes.filter((node) => node.problems.length > 0);
    expect(problems.map((node) => [node.node, ...node.problems])).toEqual([
      ['gw1', `${uses(onGw1)} (choose another vnet or number for the slice)`],
      ['h2', `${uses(onH2)} (choose another vnet or number for the slice)`],
    ]);
    expect(await network()).toEqual(before);
    ip(own.namespace('gw1'), 'address del 10.64.9.1/32 dev lo');
    ip(own.namespace('h2'), 'route del blackhole 10.64.0.0/12 table 77');
  });

  it('a subnet in use stops a migration to that node, but no other command on an installed slice', async () => {
    await own.vnm.ok('install', file);
    ip(own.namespace('n4'), 'address add 10.64.9.4/32 dev lo');
    ip(own.namespace('gw1'), 'address add 10.64.9.1/32 dev lo');
    const before = await network();
    expect(await own.vnm.ok('install', file)).toMatchObject({ vns: [{ changed: 0 }] });
    expect(await own.vnm.ok('reconcile two')).toMatchObject({ unreachable: [], failed: [] });
    const { code, stderr } = await own.vnm.json('migrate two --to final');
    expect(code).toBe(5);
    expect(stderr).toContain(`node 'n4': ${uses("address 10.64.9.4/32 of interface 'lo'")}`);
    expect(await network()).toEqual(before);
    await own.vnm.ok('uninstall two');
  });
});

it('a command that changes nothing makes no database', async () => {
  const vnm = commandLine();
  expect((await vnm.run('plan', file, '--to', 'final')).code).toBe(0);
  const { code, stderr } = await vnm.run('doctor nosuch');
  expect([code, stderr]).toEqual([
    1,
    `pl-vnm: there is no slice 'nosuch' in ${vnm.database}\n  hint: name a slice file, or another database with --db\n`,
  ]);
  expect(existsSync(vnm.database)).toBe(false);
  vnm.remove();
});
