/** The three-node slice on a testbed in user space, without root. */
import { describe, expect, it } from 'vitest';
import type { DoctorResult } from '../../src/controller/doctor.ts';
import type { InstallResult } from '../../src/controller/install.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { processesBelow } from '../../src/testbed/processes.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('three-node');

describe('the three-node slice in user space', () => {
  const own = ownTestbed(file, '--dataplane', 'userspace');

  it('a second testbed up leaves the testbed as it is', async () => {
    expect(own.testbed).toMatchObject({ dataplane: 'userspace', latency: 'relay' });
    expect(await own.vnm.ok('testbed up', file, '--dataplane', 'userspace')).toEqual(own.testbed);
    expect((await own.vnm.run('testbed status')).stdout).toContain('alive, relay alive');
  });

  it('a kernel testbed for the same slice is refused', async () => {
    const { code, stderr } = await own.vnm.run('testbed up', file, '--dataplane', 'kernel', '--server', 'openssh');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(
      /was made for other slices, another kind of server or other options|the kernel data plane needs/,
    );
  });

  it('every node can take part', async () => {
    const { ok, nodes } = await own.vnm.ok<DoctorResult>('doctor three');
    expect(ok).toBe(true);
    expect(nodes.flatMap(({ features = [] }) => features.filter(({ available }) => !available))).toEqual([]);
  });

  it('a VN is installed over UDP tunnels, and all pairs of end hosts reach each other', async () => {
    const { vns } = await own.vnm.ok<{ vns: InstallResult[] }>('install', file);
    expect(vns).toMatchObject([{ vn: 'three', placement: 'initial', nodes: 9, mtu: 1460 }]);
    const status = await own.vnm.ok<SliceStatus>('status three');
    const kinds = status.vns[0]!.instances.flatMap(({ tunnels }) => tunnels.map(({ kind }) => kind));
    expect(new Set(kinds)).toEqual(new Set(['udp']));
    const verified = await own.vnm.ok<VerifyResult>('verify three');
    expect(verified.pairs.every(({ reachable }) => reachable)).toBe(true);
    expect((await own.vnm.run('install three')).stdout).toContain('nothing changed');
  });

  it('a migration under feasible uRPF loses nothing, and what the nodes have is what the database says', async () => {
    const { outcome, flows, redirections } = await own.vnm.ok<MigrateResult>('migrate three --to final --traffic');
    expect(outcome).toBe('completed');
    expect(redirections).toHaveLength(3);
    expect(flows!.map(({ lost, duplicated }) => ({ lost, duplicated }))).toEqual(
      flows!.map(() => ({ lost: 0, duplicated: 0 })),
    );
    expect((await own.vnm.run('reconcile three')).stdout).toContain('nothing to do');
    expect((await own.vnm.run('status three --live')).code).toBe(0);
  });

  it.each(['hold', 'drain'])('a migration with the schedule %s loses nothing', async (schedule) => {
    const to = schedule === 'hold' ? 'initial' : 'final';
    const { outcome, flows } = await own.vnm.ok<MigrateResult>(
      `migrate three --to ${to} --traffic --schedule ${schedule}`,
    );
    expect(outcome).toBe('completed');
    expect(flows!.reduce((sum, { lost }) => sum + lost, 0)).toBe(0);
  });

  it('an agent that was killed forwards again, as before, once it is started again', async () => {
    const gateway = own.testbed.nodes.find(({ name }) => name === 'ga')!;
    const [agent] = await processesBelow(`${own.testbed.directory}/nodes/${gateway.name}`);
    process.kill(agent!, 'SIGKILL');
    expect((await own.vnm.run('reconcile three')).stdout).toContain('nothing to do');
    const verified = await own.vnm.ok<VerifyResult>('verify three');
    expect(verified.pairs.every(({ reachable }) => reachable)).toBe(true);
  });

  it('an uninstalled VN leaves nothing on the nodes', async () => {
    await own.vnm.ok('uninstall three');
    expect((await own.vnm.run('verify three')).stderr).toContain('is not installed');
  });
});
