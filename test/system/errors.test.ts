/** The messages and exit codes of the program when it fails. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DoctorResult } from '../../src/controller/doctor.ts';
import type { TestbedNode } from '../../src/testbed/record.ts';
import { type CommandLine, commandLine } from '../support/command-line.ts';
import { networkOf, processesOf } from '../support/kernel.ts';
import { ownTestbed, withHosts } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');

/** The result of a failed run with `--json`. */
const failure = (exitCode: number, code: string, message: string, hint?: string) => ({
  code: exitCode,
  json: { error: { code, message, ...(hint === undefined ? {} : { hint }) } },
  stderr: expect.any(String),
});

describe('the program', () => {
  let vnm: CommandLine;
  beforeAll(() => {
    vnm = commandLine();
  });
  afterAll(() => vnm.remove());

  it.each([
    ['frobnicate', "unknown command 'frobnicate'", "run 'pl-vnm --help' to list the commands"],
    ['ls', "unknown command 'ls'", "did you mean 'pl-vnm status'?"],
    ['verify --quickly two', "unknown option '--quickly'", "run 'pl-vnm verify --help' to list the options"],
    ['verify', "missing required argument 'slice'"],
    ['migrate two', "required option '--to <placement>' not specified"],
    [
      'migrate two --to final --urpf none',
      "option '--urpf <mode>' argument 'none' is invalid. Allowed choices are strict, feasible, loose.",
    ],
    [
      'job history x --limit few',
      "option '--limit <n>' argument 'few' is invalid. Give a whole number from 0 to 999999.",
    ],
    ['testbed', 'a command is missing'],
  ])('the program exits with 2 for the wrong arguments %o', async (command, message, ...hint) => {
    expect(await vnm.json(command)).toEqual(failure(2, 'usage', message, ...hint));
  });

  it('the program answers an unknown command with one line', async () => {
    expect(await vnm.run('ls -l')).toEqual({
      code: 2,
      stdout: '',
      stderr: "error: unknown command 'ls'; did you mean 'pl-vnm status'?\n",
    });
  });

  it('the program shows the usage of a command when it is used wrongly', async () => {
    const { code, stdout, stderr } = await vnm.run('verify');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: missing required argument 'slice'\n\nUsage: pl-vnm verify \[options\] <slice>\n/);
  });

  it('the program exits with 3 for an invalid slice file, and names all faults with their places', async () => {
    const text = readFileSync(file, 'utf8').replace('b: n2 }', 'b: n9 }').replace('1.5Mbps', '1.5');
    writeFileSync(join(vnm.directory, 'bad.yaml'), text);
    const rate =
      'bad.yaml:39:33: vn.flows[0].rate: expected a rate with a unit, found the number 1.5 (payload bits per second, like 1.5Mbps, 800kbps or 2Gbps)';
    const node =
      "bad.yaml:41:24: placements.initial.b: unknown node 'n9' (known nodes: n1, n2, n3, n4, gw1, gw2, h1, h2)";
    expect(await vnm.json('install bad.yaml')).toEqual(failure(3, 'invalid-input', `${rate}\n${node}`));
    expect(await vnm.run('validate bad.yaml')).toEqual({ code: 3, stdout: `${rate}\n${node}\n`, stderr: '' });
    const missing = 'cannot read the slice file none.yaml: no such file';
    expect(await vnm.json('install none.yaml')).toEqual(
      failure(3, 'invalid-input', missing, 'give a slice file in YAML of at most 4 MiB'),
    );
  });

  it('the program shows the history of an empty database, and refuses an unknown migration id', async () => {
    expect(await vnm.run('history')).toMatchObject({ code: 0, stdout: `${vnm.database} has no history yet\n` });
    expect(await vnm.ok('events')).toEqual({ events: [] });
    const hint = "run 'pl-vnm history' to list migrations with their ids";
    expect(await vnm.json('show 1')).toEqual(
      failure(1, 'not-found', `there is no migration 1 in ${vnm.database}`, hint),
    );
    expect(await vnm.json('show two')).toMatchObject({ code: 2, json: { error: { code: 'usage' } } });
  });

  it('the program exits with 1 for what does not exist', async () => {
    expect(await vnm.json('verify absent')).toEqual(
      failure(
        1,
        'not-found',
        `there is no slice 'absent' in ${vnm.database}`,
        'name a slice file, or another database with --db',
      ),
    );
    expect(await vnm.json('install', file)).toEqual(
      failure(
        1,
        'not-found',
        "node 'gw1' of slice 'two' has no host, and is on no local testbed",
        'run pl-vnm testbed up SLICE.yaml, or give the node a host in the slice file',
      ),
    );
    for (const command of ['verify two', 'migrate two --to final']) {
      expect(await vnm.json(command)).toEqual(
        failure(1, 'not-found', "VN 'two' of slice 'two' is not installed", 'run pl-vnm install two'),
      );
    }
    expect(await vnm.json('install two --placement last')).toEqual(
      failure(1, 'not-found', "VN 'two' has no placement 'last'", 'its placements are initial, final'),
    );
  });

  it('the program prints an error and its hint on stderr, and leaves stdout empty', async () => {
    expect(await vnm.run('verify two')).toEqual({
      code: 1,
      stdout: '',
      stderr: "pl-vnm: VN 'two' of slice 'two' is not installed\n  hint: run pl-vnm install two\n",
    });
  });
});

describeAsRoot('the program on nodes that it cannot trust or reach', () => {
  const own = ownTestbed(file);
  let stranger: CommandLine;
  beforeAll(() => {
    stranger = commandLine();
  });
  afterAll(() => stranger.remove());

  const node = (name: string) => own.testbed.nodes.find((one) => one.name === name)!;
  const place = ({ name, port }: TestbedNode) => `node '${name}' (127.0.0.1:${port})`;
  const used = ['gw1', 'gw2', 'h1', 'h2', 'n1', 'n2'];

  it('the program refuses and names all unknown host keys until an option accepts them', async () => {
    const before = await networkOf(own.testbed);
    const keys = hostKeys(own.testbed.knownHosts);
    const remote = join(stranger.directory, 'remote.yaml');
    writeFileSync(remote, withHosts(file, own.testbed.nodes));
    const reasons = used.map(
      (name) =>
        `${place(node(name))} cannot be reached: its host key ssh-ed25519 ${fingerprint(keys.get(node(name).port)!)} is unknown`,
    );
    const hint = 'compare the fingerprint with the node, then repeat with --accept-new-host-keys';
    expect(await stranger.json('install', remote)).toEqual(failure(4, 'unreachable', reasons.join('\n'), hint));
    await stranger.ok('--accept-new-host-keys install', remote);
    const knownHosts = join(stranger.directory, 'home', '.ssh', 'known_hosts');
    expect(hostKeys(knownHosts)).toEqual(new Map(used.map((name) => [node(name).port, keys.get(node(name).port)!])));
    expect(await stranger.ok('verify two')).toMatchObject({ ok: true });
    await stranger.ok('uninstall two');
    expect(await networkOf(own.testbed)).toEqual(before);
  });

  it('the program refuses a changed host key, whatever the options', async () => {
    const keys = hostKeys(own.testbed.knownHosts);
    const knownHosts = join(stranger.directory, 'home', '.ssh', 'known_hosts');
    const [port, other] = [node('gw1').port, keys.get(node('gw2').port)!];
    mkdirSync(join(stranger.directory, 'home', '.ssh'), { recursive: true });
    writeFileSync(knownHosts, `[127.0.0.1]:${port} ssh-ed25519 ${other}\n`);
    const { code, json } = await stranger.json<DoctorResult>('--accept-new-host-keys doctor two');
    const shown = `ssh-ed25519 ${fingerprint(keys.get(port)!)}`;
    expect(code).toBe(4);
    expect(json.nodes.filter(({ reachable }) => !reachable)).toEqual([
      {
        node: 'gw1',
        reachable: false,
        way: { transport: 'ssh2', user: 'root', host: '127.0.0.1', port, jumps: [] },
        problems: [
          `${place(node('gw1'))} cannot be reached: its host key has changed to ${shown}; ${knownHosts}:1 has another one (someone may be intercepting the connection; if you know that the change is legitimate, remove the old key: ssh-keygen -R '[127.0.0.1]:${port}' -f ${knownHosts})`,
        ],
      },
    ]);
  });

  it('the program exits with 4 and names every unreachable node', async () => {
    await own.vnm.ok('install', file);
    const gone = ['gw2', 'h1'].map(node);
    for (const { namespace } of gone) {
      for (const { pid, command } of processesOf(namespace)) {
        if (command.includes('ssh-server')) process.kill(pid, 'SIGKILL');
      }
    }
    const message = gone.map((one) => `${place(one)} cannot be reached: connection refused`).join('\n');
    expect(await own.vnm.json('verify two')).toEqual(
      failure(4, 'unreachable', message, 'check that an SSH server listens on this port'),
    );
    const { code, json } = await own.vnm.json<DoctorResult>('doctor two');
    expect(code).toBe(4);
    expect(json.nodes.filter(({ reachable }) => !reachable).map((one) => one.node)).toEqual(['gw2', 'h1']);
  });

  it('the program makes a partly dead testbed again, and records that nothing is installed on it', async () => {
    await own.vnm.ok('testbed up', file);
    expect(await own.vnm.ok('status two')).toMatchObject({ vns: [{ placement: null, instances: [] }] });
  });
});

/** The host keys in the file, by port. */
function hostKeys(knownHosts: string): Map<number, string> {
  const lines = readFileSync(knownHosts, 'utf8').trim().split('\n');
  return new Map(lines.map((line) => [Number(/:(\d+) /.exec(line)![1]), line.split(' ')[2]!]));
}

function fingerprint(key: string): string {
  return `SHA256:${createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '')}`;
}
