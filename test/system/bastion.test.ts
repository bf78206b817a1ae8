/**
 * A lab of 50 nodes with IPv6-only management addresses behind a bastion, as a user of a testbed has it: doctor, a VN
 * and its migrations, with one connection to the bastion for each command.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { DoctorResult } from '../../src/controller/doctor.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { type BastionLab, bastionLab, type Finished, importedSlice } from '../support/bastion-lab.ts';
import { describeAsRootUnless } from '../support/privileges.ts';
import { sshdPath } from '../support/sshd.ts';

vi.setConfig({ testTimeout: 900_000, hookTimeout: 300_000 });

const count = 50;
/** Fifty agents start on few processors. */
const patience = 60;

describeAsRootUnless(sshdPath === undefined ? 'they need sshd' : undefined, 'a lab behind a bastion', () => {
  let lab: BastionLab;
  let slice: string;
  beforeAll(async () => {
    lab = await bastionLab(count);
    slice = lab.writeSlice('lab', { config: lab.config, patience });
  });
  afterAll(() => lab?.remove());

  /** Runs a command, and returns with it how many connections the bastion got. */
  async function run(...words: readonly string[]): Promise<Finished & { connections: number }> {
    const before = lab.connections();
    const finished = await lab.run('lab.db', ...words);
    return { ...finished, connections: lab.connections() - before };
  }
  /** The parts of a doctor's result that should be the same for all nodes. */
  function summary({ code, stdout, connections }: Finished & { connections: number }) {
    const { nodes } = JSON.parse(stdout) as DoctorResult;
    const failures = nodes.filter(({ reachable, problems }) => !reachable || problems.length > 0);
    const ways = new Set(nodes.map(({ way }) => JSON.stringify([way?.transport, way?.jumps])));
    return {
      code,
      nodes: nodes.length,
      failures,
      ways: [...ways].map((way) => JSON.parse(way) as unknown),
      connections,
    };
  }
  const throughBastion = () => [['ssh2', [`root@${lab.addresses.bastion}:22`]]];
  const accept = '--accept-new-host-keys';

  it('host keys that are unknown are refused although the configuration switches the check off', async () => {
    const { code, stdout } = await run('doctor', slice);
    expect(code).toBe(4);
    const { nodes } = JSON.parse(stdout) as DoctorResult;
    const text =
      /cannot be reached: jump host 'bastion\.lab' \(10\.99\.0\.1:22\) cannot be reached: its host key \S+ SHA256:\S+ is unknown/;
    expect(nodes.filter(({ problems }) => problems.length === 1 && text.test(problems[0]!))).toHaveLength(count);
  });

  it('doctor reaches all nodes by one connection to the bastion', async () => {
    const expected = { code: 0, nodes: count, failures: [], ways: throughBastion(), connections: 1 };
    expect(summary(await run('doctor', slice, accept))).toEqual(expected);
    expect(summary(await run('doctor', slice))).toEqual(expected);
  });

  it('a VN is installed and migrated through the bastion, and loses nothing', async () => {
    expect(await run('install', slice)).toMatchObject({ code: 0, connections: 1 });
    await expectMigration(slice, 'final');
  });

  it('a VN is migrated through the bastion by the program ssh, and loses nothing', async () => {
    const byProgram = lab.writeSlice('by-program', { config: lab.config, transport: 'openssh', patience });
    await expectMigration(byProgram, 'initial');
  });

  async function expectMigration(file: string, to: string): Promise<void> {
    const { code, stdout, stderr, connections } = await run(
      'migrate',
      file,
      '--to',
      to,
      '--urpf',
      'feasible',
      '--traffic',
    );
    expect({ code, connections }, stderr).toEqual({ code: 0, connections: 1 });
    const { outcome, flows } = JSON.parse(stdout) as MigrateResult;
    expect({ outcome, lost: flows.map(({ lost }) => lost) }).toEqual({
      outcome: 'completed',
      lost: flows.map(() => 0),
    });
    expect(flows.every(({ sent }) => sent > 0)).toBe(true);
  }

  it('two jump hosts are passed, and nodes are reached by their link-local addresses', async () => {
    const { outer, inner } = lab.addresses;
    const key = lab.bastionKey;
    const jump = [outer, inner].map((host) => ({ host, user: 'root', key }));
    const two = lab.writeSlice('two', { config: 'none', jump }, (node) => `${lab.addressesOf(node).linkLocal}%br0`);
    const { code, stdout, connections } = await run('agent', 'list', two, '--node', 'n01', 'n02', 'n03', accept);
    expect(code).toBe(0);
    const { nodes } = JSON.parse(stdout) as { nodes: { node: string; slices: { slice: string }[] }[] };
    // The slice of users who import the nodes has a policy only.
    expect(nodes.map(({ node, slices }) => [node, slices.map((one) => one.slice).toSorted()])).toEqual(
      ['n01', 'n02', 'n03'].map((node) => [node, [importedSlice.name, 'lab']]),
    );
    expect(connections).toBe(1);
  });

  it("FABlib's listings lead to a migration, as docs/testbeds.md says", async () => {
    const names = ['north', 'south', 'west', 'gate1', 'gate2', 'lab1', 'lab2'];
    const at = (name: string) => lab.addressesOf(lab.nodes.at(-1 - names.indexOf(name))!);
    const nodes = names.map((name) => ({
      ...{ id: name, name, site: 'GPN', username: 'root', management_ip: at(name).global, state: 'Active' },
      ssh_command: `ssh -i ${lab.nodeKey} -F ${lab.config} root@${at(name).global}`,
      private_ssh_key_file: lab.nodeKey,
    }));
    const interfaces = names.map((name) => ({
      ...{ name: `${name}-FABNET_IPv4_GPN_nic-p1`, node: name, network: 'FABNET_IPv4_GPN', dev: 'eth0' },
      ip_addr: at(name).tunnel,
    }));
    const file = (name: string) => join(lab.directory, name);
    writeFileSync(file('nodes.json'), JSON.stringify(nodes));
    writeFileSync(file('interfaces.json'), JSON.stringify(interfaces));
    const ok = async (...words: string[]) => {
      const { code, stdout, stderr } = await run(...words);
      expect(code, `${words[0]}: ${stdout}${stderr}`).toBe(0);
      return stdout;
    };
    const campus = file('campus.yaml');
    const from = [file('nodes.json'), file('interfaces.json')];
    await ok('import', ...from, '--name', importedSlice.name, '--vnet', importedSlice.vnet, '-o', campus);
    // Step 3 of the page: the VN to begin with is replaced by its example.
    const page = readFileSync(new URL('../../docs/testbeds.md', import.meta.url), 'utf8');
    const [, example] = page.match(/```yaml\n( {3}vn:\n[^`]*)```/)!;
    const made = readFileSync(campus, 'utf8').replace(/^vn:\n.*/ms, '');
    writeFileSync(campus, `${made}${example!.replaceAll(/^ {3}/gm, '')}`);
    await ok('validate', campus);
    await ok('doctor', campus, accept);
    await ok('install', campus);
    await ok('verify', 'campus');
    await expectMigration('campus', 'final');
    await ok('uninstall', 'campus');
  });

  it('a host key of the bastion that has changed is refused', async () => {
    const file = join(lab.directory, 'state', 'pl-vnm', 'known_hosts');
    const before = readFileSync(file, 'utf8');
    const other = execFileSync('ssh-keygen', ['-y', '-f', lab.nodeKey], { encoding: 'utf8' });
    writeFileSync(file, before.replace(/^10\.99\.0\.1 .*$/m, `10.99.0.1 ${other.trim()}`));
    const { code, stdout, connections } = await run('status', 'lab', '--live', accept);
    expect(code).toBe(4);
    expect(stdout).toContain(
      `jump host 'bastion.lab' (10.99.0.1:22) cannot be reached: its host key has changed to ssh-ed25519`,
    );
    expect(connections).toBeGreaterThan(0);
    writeFileSync(file, before);
  });
});
