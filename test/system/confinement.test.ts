/**
 * A slice on shared nodes: an administrator installs the agent once, and the slice's login, which has no rights there,
 * can do everything that its slice may do and nothing else. With OpenSSH's `sshd` and the real `sudo`. Each test
 * continues where the previous one stopped.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DoctorResult } from '../../src/controller/doctor.ts';
import { commandPath } from '../../src/model/command-path.ts';
import { connectAgent } from '../../src/transport/agent-connection.ts';
import type { InstalledAgent } from '../../src/transport/agent-install.ts';
import { connectSsh, type SshSession } from '../../src/transport/ssh-session.ts';
import { networkOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeWithProgram } from '../support/programs.ts';
import { type SharedNode, type SharedNodes, sharedNodes } from '../support/shared-nodes.ts';
import { temporaryHome } from '../support/temporary-home.ts';
import { inTerminal } from '../support/terminal.ts';

/** Each test runs several commands on six nodes, which takes long on a busy machine. */
vi.setConfig({ testTimeout: 240_000 });

const login = 'slicer';
const names = ['gw1', 'gw2', 'h1', 'h2', 'p1', 'p2'];
const attach = '/usr/local/lib/pl-vnm/attach-confined';
const rule = '/etc/sudoers.d/pl-vnm-confined';

/** Nodes without hosts are on the testbed; with hosts they are shared nodes. */
function sliceText(slice: string, nodes: readonly string[]): string {
  return `slice: ${slice}
vnet: 10.66.0.0/16
substrate:
  nodes:
${nodes.map((node) => `    ${node}\n`).join('')}vn:
  name: vn
  routers: [core]
  links: []
  gateways:
    g1: { node: gw1, router: core }
    g2: { node: gw2, router: core }
  endHosts:
    e1: { node: h1, gateway: g1 }
    e2: { node: h2, gateway: g2 }
  flows:
    - { from: e1, to: e2, rate: 500kbps }
placements:
  initial: { core: p1 }
  final: { core: p2 }
`;
}

if (commandPath('sshd') !== undefined) describeWithProgram('sudo', 'a slice on shared nodes', suite);
else describeWithProgram('sshd', 'a slice on shared nodes', suite);

function suite(): void {
  const own = ownTestbed((directory) => {
    const file = join(directory, 'nodes.yaml');
    writeFileSync(
      file,
      sliceText(
        'ground',
        names.map((name) => `${name}: {}`),
      ),
    );
    return file;
  });
  let shared: SharedNodes;
  let file: string;
  let gw1: SharedNode;
  let session: SshSession;
  let home: ReturnType<typeof temporaryHome>;
  beforeAll(async () => {
    home = temporaryHome();
    shared = await sharedNodes(own.testbed.nodes, login);
    gw1 = shared.nodes.get('gw1')!;
    file = join(own.vnm.directory, 'confined.yaml');
    const nodes = [...shared.nodes.values()].map(
      ({ name, port, address }) =>
        `${name}: { host: 127.0.0.1, port: ${port}, user: ${login}, key: ${shared.sliceKey}, address: ${address} }`,
    );
    writeFileSync(file, sliceText('confined', nodes));
    const target = { node: 'gw1', host: '127.0.0.1', port: gw1.port, user: login, keyPath: shared.sliceKey };
    session = await connectSsh(target, { acceptNewHostKeys: true });
  }, 240_000);
  afterAll(async () => {
    session?.close();
    await shared?.close();
    home?.restore();
  }, 240_000);

  const agentCommand = (command: string, ...more: string[]) =>
    own.vnm.json<{ agents: InstalledAgent[]; error: { code: string; message: string; hint?: string } }>(
      `--accept-new-host-keys agent ${command} ${file} --admin-key ${shared.adminKey}`,
      ...more,
    );
  const doctor = async () => (await own.vnm.json<DoctorResult>('--accept-new-host-keys doctor', file)).json;
  const place = (name: string) => `node '${name}' (127.0.0.1:${shared.nodes.get(name)!.port})`;
  const files = () =>
    gw1.asRoot(
      'find /usr/local/lib /etc/pl-vnm /etc/sudoers.d /etc/sudoers -printf "%M %U:%G %p %s\\n" 2>/dev/null | sort -k 3; true',
    );
  const asLogin = async (command: string) => {
    const { code, stdout, stderr } = await session.exec(command, { timeoutMs: 120_000 });
    return { code, stdout: stdout.toString(), stderr };
  };
  /** The logs of the nodes, for a command that fails. */
  const logs = () =>
    [...shared.nodes].map(([name, { asRoot }]) => {
      const tools =
        'ps -eo pid,ppid,stat,wchan:20,etimes,args | grep -v "\\[" | grep -E "agent-|attach|sudo" | cut -c 1-160';
      return `${name}:\n${asRoot(`tail -n 20 /run/pl-vnm/confined.log 2>&1; ${tools}; true`)}`;
    });
  const agentPid = (node = gw1) =>
    Number(node.asRoot(`cat /run/pl-vnm/confined.log | sed -n 's/.* pid \\([0-9]*\\),.*/\\1/p' | tail -n 1`));

  describe('before the agent is installed', () => {
    it('doctor names every node whose administrator must install the agent', async () => {
      const { nodes } = await doctor();
      expect(nodes.flatMap(({ problems }) => problems)).toEqual(
        names.map((name) => expect.stringContaining(`the login '${login}' of ${place(name)} is not root`)),
      );
    });
  });

  describe('an installation that fails', () => {
    let before: string;
    beforeAll(() => {
      before = files();
    });
    const attempt = async (...more: string[]) => (await agentCommand('install', '--node', 'gw1', ...more)).json.error;

    it('a failed installation leaves nothing when sudo does not read the rule', async () => {
      gw1.asRoot(`cp -p /etc/sudoers /etc/sudoers.before && sed -i /includedir/d /etc/sudoers`);
      expect(await attempt()).toEqual({
        code: 'failed',
        message: `the agent could not be installed on ${place('gw1')}: ${login} cannot attach with the sudo rule: sudo: a password is required`,
        hint: 'nothing was changed there',
      });
      gw1.asRoot(`mv /etc/sudoers.before /etc/sudoers`);
      expect(files()).toBe(before);
    });

    it('a failed installation leaves nothing when another file is in the way', async () => {
      gw1.asRoot(`mkdir ${rule}`);
      expect(await attempt()).toMatchObject({
        message: `the agent could not be installed on ${place('gw1')}: ${rule} is a directory`,
      });
      gw1.asRoot(`rmdir ${rule}`);
      expect(files()).toBe(before);
    });

    it('an installation does not begin where others than root could change it, or for the login root', async () => {
      gw1.asRoot('chmod g+w /usr/local/lib');
      expect(await attempt()).toEqual({
        code: 'unsupported',
        message: `users other than root may change /usr/local/lib on ${place('gw1')}`,
        hint: 'let only root change these and all directories above: chown root DIRECTORY; chmod go-w DIRECTORY',
      });
      gw1.asRoot('chmod g-w /usr/local/lib');
      expect(await attempt('--login', 'nosuch')).toMatchObject({
        code: 'not-found',
        message: `${place('gw1')} has no login 'nosuch'`,
      });
      expect(await attempt('--login', 'root')).toMatchObject({
        code: 'forbidden',
        message: "the slice's login on node 'gw1' is root, which cannot be confined",
      });
      for (const name of ['ALL', '%sudo', 'a,b']) {
        expect(await attempt('--login', name)).toMatchObject({
          code: 'usage',
          message: `invalid login '${name}': a sudo rule cannot name it`,
        });
      }
      expect(await attempt('--limit', 'nosuch=1')).toMatchObject({
        code: 'usage',
        message: "unknown limit 'nosuch'",
        hint: 'the limits are namespaces, tunnels, routes, machines, machineMib, imageMib, armed, streams, trafficBps, daemons',
      });
      expect(await attempt('--admin-user', login, '--admin-key', shared.sliceKey)).toMatchObject({
        code: 'unsupported',
        message: `the login '${login}' of ${place('gw1')} is not root and may not become root (sudo -n)`,
      });
      expect(files()).toBe(before);
    });
  });

  describe('the installation', () => {
    it('a login that may become root can install the agent, with a runtime where there is none', async () => {
      const { asRoot } = shared.nodes.get('p2')!;
      asRoot('for node in /usr/bin/node /usr/local/bin/node; do [ ! -e $node ] || mount --bind /dev/null $node; done');
      const { code, json, stderr } = await agentCommand('install', '--node', 'p2', '--admin-user', 'boss');
      expect(code, stderr).toBe(0);
      expect(json.agents).toMatchObject([{ change: 'installed', runtime: '/usr/local/lib/pl-vnm/node' }]);
      expect(asRoot('stat -c "%A %u:%g" /usr/local/lib/pl-vnm/node')).toBe('-rwxr-xr-x 0:0\n');
    });

    it('an installation puts everything on all nodes, and a second one changes nothing', async () => {
      const { code, json, stderr } = await agentCommand('install');
      expect(code, code === 0 ? '' : [stderr, ...logs()].join('\n')).toBe(0);
      expect(json.agents.map(({ node, login, change }) => [node, login, change])).toEqual(
        names.map((name) => [name, login, name === 'p2' ? 'unchanged' : 'installed']),
      );
      const before = files();
      expect((await agentCommand('install')).json.agents.map(({ change }) => change)).toEqual(
        names.map(() => 'unchanged'),
      );
      expect(files()).toBe(before);
      const [{ digest }] = json.agents as [InstalledAgent];
      expect(before.split('\n').map((line) => line.replace(/ \d+$/, ''))).toEqual(
        expect.arrayContaining([
          `-rwxr-xr-x 0:0 ${attach}`,
          `-rwxr-xr-x 0:0 /usr/local/lib/pl-vnm/agent-${digest}.mjs`,
          '-rw-r--r-- 0:0 /etc/pl-vnm/policy/confined.json',
          `-r--r----- 0:0 ${rule}`,
        ]),
      );
      expect(before).not.toMatch(/\.install-|\.new/);
    });

    it('an installation is refused for another slice that would share something', async () => {
      const other = join(own.vnm.directory, 'other.yaml');
      writeFileSync(other, readFileSync(file, 'utf8').replace('slice: confined', 'slice: other'));
      const { json } = await own.vnm.json(`agent install ${other} --admin-key ${shared.adminKey} --node gw1`);
      expect(json).toMatchObject({
        error: {
          code: 'conflict',
          message: "node 'gw1': slices 'other' and 'confined' would share addresses (10.66.0.0/16 and 10.66.0.0/16)",
        },
      });
    });
  });

  it("the slice's login can run every command of its slice", async () => {
    const before = await networkOf(own.testbed);
    expect(await doctor()).toMatchObject({ ok: true });
    await own.vnm.ok('install', file);
    expect(await own.vnm.ok('verify confined')).toMatchObject({ ok: true });
    await own.vnm.ok('measure confined');
    await own.vnm.ok('plan confined --to final');
    expect(await own.vnm.ok('migrate confined --to final --urpf feasible --traffic')).toMatchObject({
      outcome: 'completed',
      flows: [{ from: 'e1', to: 'e2', lost: 0 }],
    });
    expect(await own.vnm.ok('verify confined')).toMatchObject({ ok: true });
    expect(await own.vnm.ok('status confined')).toMatchObject({ vns: [{ placement: 'final' }] });
    const { json } = await agentCommand('uninstall', '--node', 'gw1');
    expect(json.error).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`slice 'confined' still has something on ${place('gw1')}: interface pv`),
      hint: 'run pl-vnm uninstall confined with the database that it was installed with',
    });
    await own.vnm.ok('uninstall confined');
    expect(await networkOf(own.testbed)).toEqual(before);
  });

  describeWithProgram('tcpdump', 'programs in routers', () => {
    const allow = (operations: string) => agentCommand('install', '--node', 'p1', '--operations', operations);
    const atCore = (...command: string[]) => own.vnm.run('exec confined core --', ...command);
    const inCore = (script: string) => atCore('sh', '-c', script);
    const capturing = ['capture confined core --link g1 -w packets.pcapng --seconds 1'] as const;
    let uid: string;
    let p1: SharedNode;
    beforeAll(async () => {
      p1 = shared.nodes.get('p1')!;
      uid = p1.asRoot(`id -u ${login}`).trim();
      await own.vnm.ok('install', file);
      // A router of another slice, and a service of the node.
      p1.asRoot('ip netns add pv-other_0-x');
    }, 240_000);
    afterAll(async () => {
      await allow('*');
      p1?.asRoot('ip netns del pv-other_0-x');
      await own.vnm.ok('uninstall confined');
    }, 240_000);

    it.each([
      ['exec', ['exec confined core -- true']],
      ['capture', capturing],
    ])('%s is off unless the policy names it', async (method, [command]) => {
      const { code, stderr } = await own.vnm.run(command!);
      expect([code, stderr]).toEqual([
        1,
        `pl-vnm: node 'p1': slice 'confined' may not use '${method}' on this node (allowed: *)\n` +
          `  hint: '*' does not include it: ask the administrator of the node to allow it by name (pl-vnm agent install SLICE.yaml --operations '*,${method}')\n`,
      ]);
    });

    it("a program runs as the slice's login, without any privileges", async () => {
      const { json } = await allow('*,exec,capture');
      expect(json.agents).toMatchObject([{ change: 'updated', policy: { operations: ['*', 'exec', 'capture'] } }]);
      const { code, stdout } = await inCore(
        'id -u; id -G; grep -E "^(Cap|NoNew)" /proc/self/status | tr -d "[:blank:]"; env | sort',
      );
      expect(code).toBe(0);
      const [own, groups, ...others] = stdout.trim().split('\n');
      expect([own, groups]).toEqual([uid, p1.asRoot(`id -G ${login}`).trim()]);
      // The bounding set alone gives nothing.
      const sets = { Inh: 0, Prm: 0, Eff: 0, Bnd: 2000, Amb: 0 };
      expect(others.slice(0, 6)).toEqual([
        ...Object.entries(sets).map(([set, bits]) => `Cap${set}:${String(bits).padStart(16, '0')}`),
        'NoNewPrivs:1',
      ]);
      expect(others.slice(6).map((line) => line.replace(/^(PL_VNM_EXEC=).*/, '$1'))).toEqual([
        'HOME=/',
        `LOGNAME=${login}`,
        'PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/sbin:/sbin:/usr/bin:/bin',
        'PL_VNM_EXEC=',
        'PWD=/',
        `USER=${login}`,
      ]);
    });

    it('a program sees the network of its router, and can use it', async () => {
      const { stdout } = await inCore('ls /proc/sys/net/ipv4/conf | grep -vE "^(all|default|lo)$"');
      expect(stdout).toMatch(/^(pv\S+\n){2}$/);
      expect((await atCore('ping', '-c', '1', '-W', '10', '10.66.0.1')).stdout).toContain('1 received');
    });

    it.each([
      ['become root', 'sudo -n id', /no new privileges/],
      ['attach to the agent', `sudo -n ${attach} </dev/null`, /no new privileges/],
      ['change the network', 'ip link add dummy0 type dummy', /Operation not permitted/],
      ['add a route', 'ip route add 192.0.2.0/24 dev lo', /Operation not permitted/],
      ['change a setting', 'echo 0 >/proc/sys/net/ipv4/ip_forward', /Permission denied|cannot create/],
      ["enter the node's network", 'nsenter --net=/proc/1/ns/net true', /Permission denied/],
      ["enter another slice's router", 'nsenter --net=/run/netns/pv-other_0-x true', /Operation not permitted/],
      ['enter its router once more', 'ip netns exec pv-other_0-x true', /Operation not permitted/],
      ['capture packets', 'tcpdump -c 1', /permission|not permitted/],
      ["reach the node's addresses", 'ping -c 1 -W 1 192.0.2.1', /unreachable/],
      ['inspect the agent', 'cat /proc/AGENT/environ', /Permission denied/],
      ["enter the agent's network", 'nsenter --net=/proc/AGENT/ns/net true', /Permission denied/],
      ['end the agent', 'kill AGENT', /not permitted/],
      ["see the agent's directory", 'ls /run/pl-vnm', /Permission denied/],
      ['write the policy', 'echo {} >/etc/pl-vnm/policy/confined.json', /Permission denied|cannot create/],
      ['read the rule', `cat ${rule}`, /Permission denied/],
      ['raise its limits', 'ulimit -n 2048', /not permitted/],
    ])('a program in a router cannot %s', async (_what, script, reason) => {
      const { code, stdout, stderr } = await inCore(script.replace('AGENT', String(agentPid(p1))));
      expect(`${stderr}${stdout}`).toMatch(reason);
      expect(code).not.toBe(0);
    });

    it("a program cannot reach a service of the node's own network", async () => {
      const listen = `require('net').createServer(() => {}).listen(7777, '127.0.0.1', () => console.log('listening'))`;
      const connect = `${process.execPath} -e "require('net').connect(7777, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(9))"`;
      const said = join(own.vnm.directory, 'said');
      const pid = p1.asRoot(
        `${process.execPath} -e "${listen}" >${said} 2>&1 & while ! grep -q listening ${said}; do sleep 0.1; done; echo $!`,
      );
      try {
        p1.asRoot(connect);
        expect((await inCore(connect)).code).toBe(9);
      } finally {
        process.kill(Number(pid));
      }
    });

    it("a capture runs as the slice's login, with the one right to read packets", async () => {
      const running = own.vnm.start('capture confined core --link g1 -w packets.pcapng --snaplen 98767');
      await running.said('capturing on the link');
      const pid = p1.asRoot('pgrep -f "^tcpdump .*-s 98767"').trim();
      const status = p1.asRoot(`grep -E "^(Uid|CapEff|CapBnd|NoNew)" /proc/${pid}/status`);
      expect(status.replaceAll('\t', ' ')).toBe(
        `Uid: ${uid} ${uid} ${uid} ${uid}\nCapEff: 0000000000002000\nCapBnd: 0000000000002000\nNoNewPrivs: 1\n`,
      );
      for (const name of ['environ', 'mem']) {
        expect((await inCore(`head -c 1 /proc/${pid}/${name}`)).stderr).toContain('Permission denied');
      }
      await atCore('ping', '-c', '1', '-W', '10', '10.66.0.1');
      running.interrupt();
      expect(await running.finished).toMatchObject({ code: 0, stdout: expect.stringMatching(/^2 packets /) });
    });

    it('a program in a terminal has no more rights, and the terminal is its own', async () => {
      const script = 'id -u; grep -E "^(CapEff|NoNewPrivs)" /proc/self/status; stat -c %u "$(tty)"; sudo -n id';
      const running = inTerminal(
        own.vnm,
        { rows: 30, columns: 90 },
        'exec',
        'confined',
        'core',
        '--',
        'sh',
        '-c',
        script,
      );
      const { code, output } = await running.finished;
      expect(output.split('\r\n').slice(0, 4)).toEqual([uid, 'CapEff:\t0000000000000000', 'NoNewPrivs:\t1', uid]);
      expect([code, output]).toEqual([1, expect.stringContaining('no new privileges')]);
    });

    it('a shell in a router is one of the login', async () => {
      const running = inTerminal(own.vnm, { rows: 30, columns: 90 }, 'shell', 'confined', 'core');
      await running.showed(/[#$] ?$/);
      running.type('echo "user $(id -u)"; nsenter --net=/proc/1/ns/net true || exit 9\n');
      await running.showed(`user ${uid}`);
      expect((await running.finished).code).toBe(9);
    });

    it('ping and trace are programs in the router', async () => {
      expect(await own.vnm.ok('ping confined core e1 -c 1')).toMatchObject({ received: 1 });
      expect(await own.vnm.ok('trace confined core e1')).toMatchObject({
        reached: true,
        hops: [{ name: 'g1' }, { name: 'e1' }],
      });
    });

    it('what a program hides ends with its router', async () => {
      const { stdout } = await inCore('env -i setsid sleep 98768 >/dev/null 2>&1 </dev/null & echo $!');
      expect(p1.asRoot('pgrep -f "^sleep 98768$"')).toBe(stdout);
      await own.vnm.ok('migrate confined --to final --urpf feasible');
      await vi.waitFor(() => expect(p1.asRoot('pgrep -f "^sleep 98768$" || true')).toBe(''), { timeout: 60_000 });
      await own.vnm.ok('migrate confined --to initial --urpf feasible');
    });

    it('a program runs as root only where the policy says so', async () => {
      await allow('*,exec,exec_as_root');
      expect((await atCore('id', '-u')).stdout).toBe('0\n');
      await allow('*');
      expect((await atCore('id', '-u')).code).toBe(1);
    });
  });

  describeWithProgram('tcpdump', 'programs at gateways and end hosts', () => {
    const allow = (node: string, operations: string) =>
      agentCommand('install', '--node', node, '--operations', operations);
    const at = (name: string, script: string) => own.vnm.run(`exec confined ${name} --`, 'sh', '-c', script);
    /** An access link of another slice. */
    const foreign = 'pvzzz-e0g';
    const places = { g1: 'gw1', e1: 'h1' } as const;
    type PlaceName = keyof typeof places;
    const nodeOf = (name: PlaceName) => shared.nodes.get(places[name])!;
    let uid: string;
    beforeAll(async () => {
      uid = gw1.asRoot(`id -u ${login}`).trim();
      await own.vnm.ok('install', file);
      for (const name of ['g1', 'e1'] as const) {
        nodeOf(name).asRoot(
          `ip netns add pv-other_0-y; ip link add ${foreign} type veth peer name pvzzz-e0h; ip link set ${foreign} up`,
        );
        nodeOf(name).asRoot('mkdir -m 700 -p /etc/secret');
      }
    }, 240_000);
    afterAll(async () => {
      for (const name of ['g1', 'e1'] as const) {
        await allow(places[name], '*');
        nodeOf(name).asRoot(`ip netns del pv-other_0-y; ip link del ${foreign}; rmdir /etc/secret`);
      }
      await own.vnm.ok('uninstall confined');
    }, 240_000);

    const attempts = [
      ['become root', 'sudo -n id', /password is required|not allowed/],
      ['get a shell of root', 'sudo -n -s', /password is required|not allowed/],
      ["enter another slice's router", 'nsenter --net=/run/netns/pv-other_0-y true', /Operation not permitted/],
      ["enter another slice's router by name", 'ip netns exec pv-other_0-y true', /Operation not permitted/],
      ["capture another slice's access link", `tcpdump -c 1 -i ${foreign}`, /permission|not permitted/],
      ["remove another slice's access link", `ip link del ${foreign}`, /Operation not permitted/],
      ['change the network', 'ip link add dummy0 type dummy', /Operation not permitted/],
      ['add a route', 'ip route add 192.0.2.0/24 dev lo', /Operation not permitted/],
      ['change a setting', 'echo 0 >/proc/sys/net/ipv4/ip_forward', /Permission denied|cannot create/],
      ['mount a file system', 'mount -t tmpfs tmpfs /mnt', /permission denied|superuser|not permitted/i],
      ['write outside its files', 'echo >/etc/pl-vnm-mine', /Permission denied|cannot create/],
      ['read a directory of root', 'ls /etc/secret/../secret', /Permission denied/],
      [
        "write the agent's program",
        'for one in /usr/local/lib/pl-vnm/*; do echo >>$one; done',
        /Permission denied|cannot/,
      ],
      ["read the agent's environment", 'cat /proc/AGENT/environ', /Permission denied/],
      ['end the agent', 'kill AGENT', /not permitted/],
      ['stop the agent', 'kill -STOP AGENT', /not permitted/],
      ["see the agent's directory", 'ls /run/pl-vnm', /Permission denied/],
      ['write the policy', 'echo {} >/etc/pl-vnm/policy/confined.json', /Permission denied|cannot create/],
      ['raise its limits', 'ulimit -H -n 2000000000', /not permitted|bad|Illegal|too large|cannot/i],
    ] as const;
    it.each((['g1', 'e1'] as const).flatMap((name) => attempts.map((attempt) => [name, ...attempt] as const)))(
      'a program at %s cannot %s',
      async (name, _what, script, reason) => {
        const { code, stdout, stderr } = await at(name, script.replace('AGENT', String(agentPid(nodeOf(name)))));
        expect(`${stderr}${stdout}`).toMatch(reason);
        expect(code).not.toBe(0);
      },
    );

    it.each(['g1', 'e1'] as const)('a program at %s is one of the login, without rights', async (name) => {
      const { stdout } = await at(
        name,
        'id -u; grep -E "^(CapPrm|CapEff)" /proc/self/status; echo "$LD_PRELOAD$NODE_OPTIONS"',
      );
      const none = '0'.repeat(16);
      expect(stdout).toBe(`${uid}\nCapPrm:\t${none}\nCapEff:\t${none}\n\n`);
    });

    it.each(['g1', 'e1'] as const)('a shell at %s is one of the login', async (name) => {
      const running = inTerminal(own.vnm, { rows: 30, columns: 90 }, 'shell', 'confined', name);
      await running.showed(/[#$] ?$/);
      running.type('echo "user $(id -u)"; ip link add dummy0 type dummy || exit 9\n');
      await running.showed(`user ${uid}`);
      expect((await running.finished).code).toBe(9);
    });

    it.each([
      ['g1', 'g1 --link e1'],
      ['e1', 'e1'],
    ] as const)(
      'a capture at %s is off unless the policy names it, and then has only that right',
      async (name, words) => {
        const command = `capture confined ${words} -w edge.pcapng --snaplen 98770`;
        const refused = await own.vnm.run(command);
        expect([refused.code, refused.stderr]).toEqual([
          1,
          expect.stringContaining(`slice 'confined' may not use 'capture' on this node (allowed: *)`),
        ]);
        await allow(places[name], '*,capture');
        const running = own.vnm.start(command);
        await running.said('capturing on the link');
        const node = nodeOf(name);
        const pid = node.asRoot('pgrep -f "^tcpdump .*-s 98770"').trim();
        const status = node.asRoot(`grep -E "^(Uid|CapEff|CapBnd|NoNew)" /proc/${pid}/status`);
        expect(status.replaceAll('\t', ' ')).toBe(
          `Uid: ${uid} ${uid} ${uid} ${uid}\nCapEff: 0000000000002000\nCapBnd: 0000000000002000\nNoNewPrivs: 1\n`,
        );
        for (const part of ['environ', 'mem']) {
          expect((await at(name, `head -c 1 /proc/${pid}/${part}`)).stderr).toContain('Permission denied');
        }
        await own.vnm.ok('ping confined e1 g1 -c 1');
        running.interrupt();
        expect(await running.finished).toMatchObject({ code: 0, stdout: expect.stringMatching(/^2 packets /) });
        expect(node.asRoot('pgrep -f "^tcpdump .*-s 98770" || true')).toBe('');
      },
    );

    it.each([
      [{ interface: foreign }, `interface '${foreign}'`],
      [{ interface: 'lo' }, "interface 'lo'"],
      [{ interface: 'any' }, "interface 'any'"],
      [{ namespace: 'pv-other_0-y', interface: 'OWN' }, "namespace 'pv-other_0-y'"],
    ])('a request to capture %j is refused whatever sends it', async (params, what) => {
      const { json } = await allow('gw1', '*,capture');
      const { policy } = json.agents[0]!;
      const target = { node: 'gw1', host: '127.0.0.1', port: gw1.port, user: login, keyPath: shared.sliceKey };
      const agent = await connectAgent({ ...target, slice: 'confined' }, { acceptNewHostKeys: true, policy });
      try {
        const name = params.interface === 'OWN' ? `${policy.interfacePrefix}x` : params.interface;
        await expect(agent.call('capture', { ...params, interface: name, snaplen: 100 })).rejects.toMatchObject({
          code: 'forbidden',
          message: expect.stringContaining(`${what} does not belong to slice 'confined'`),
        });
      } finally {
        agent.close();
      }
    });
  });

  describe("the slice's login", () => {
    beforeAll(() => {
      gw1.asRoot(`cp -p ${attach} /usr/local/lib/pl-vnm/attach-other`);
    });
    afterAll(() => {
      gw1.asRoot('rm /usr/local/lib/pl-vnm/attach-other; rm -rf /run/evil /etc/sudoers.d/careless');
    });

    it.each([
      ['become root', 'sudo -n id'],
      ['get a shell', 'sudo -n -s'],
      ['give arguments', `sudo -n ${attach} version`],
      ['give options', `sudo -n ${attach} --slice other`],
      ['attach to another slice', 'sudo -n /usr/local/lib/pl-vnm/attach-other'],
      ['bypass the rule by another path', 'sudo -n /usr/local/lib/pl-vnm/../pl-vnm/attach-other'],
      ['run the agent itself', 'sudo -n $(command -v node) /usr/local/lib/pl-vnm/agent-*.mjs attach --slice confined'],
      ['run the command with a shell', `sudo -n sh ${attach}`],
      ['become another user', `sudo -n -u nobody ${attach}`],
      ['get another group', `sudo -n -g shadow ${attach}`],
      ['edit the command', `sudo -n -e ${attach}`],
      ['keep its environment', `sudo -n -E ${attach}`],
      ['set the search path', `sudo -n PATH=/tmp ${attach}`],
      ['set options of Node.js', `sudo -n NODE_OPTIONS=--version ${attach}`],
      ['set the agent’s directory', `sudo -n PL_VNM_DIR=/tmp ${attach}`],
      ['set another directory to run in', `sudo -n -D /tmp ${attach}`],
      ['set another root directory', `sudo -n -R /tmp ${attach}`],
    ])("the slice's login cannot %s", async (_what, command) => {
      const { code, stdout } = await asLogin(`${command} </dev/null`);
      expect(code).toBe(1);
      expect(stdout).toBe('');
    });

    it.each([
      ['write the agent', 'for file in /usr/local/lib/pl-vnm/agent-*.mjs; do echo >>$file; done'],
      ['write the command', `echo >>${attach}`],
      ['replace the command', `ln -sf /bin/sh ${attach}`],
      ['move what is installed away', 'mv /usr/local/lib/pl-vnm /usr/local/lib/mine'],
      ['remove the agent', 'rm -f /usr/local/lib/pl-vnm/agent-*'],
      ['write the policy', 'echo {} >/etc/pl-vnm/policy/confined.json'],
      ['add a policy', 'echo {} >/etc/pl-vnm/policy/other.json'],
      ['write the rule', `echo "${login} ALL=(ALL) NOPASSWD: ALL" >>${rule}`],
      ['read the rule', `cat ${rule}`],
      ['add a rule', `echo "${login} ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/mine`],
      ['see the agent’s directory', 'ls /run/pl-vnm'],
      ['read the log', 'cat /run/pl-vnm/confined.log'],
      ['remove the socket', 'rm -f /run/pl-vnm/confined.sock'],
      ['change the network itself', 'ip link add dummy0 type dummy'],
    ])("the slice's login cannot %s", async (_what, command) => {
      const before = files();
      const { code, stderr } = await asLogin(command);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/Permission denied|Operation not permitted|cannot create/);
      expect(files()).toBe(before);
    });

    it("the slice's login cannot replace the runtime", async () => {
      const runtime = /(\S+) \S+\.mjs attach/.exec(gw1.asRoot(`cat ${attach}`))![1]!;
      expect(await asLogin(`test -w ${runtime} || test -w $(dirname ${runtime})`)).toMatchObject({ code: 1 });
    });

    it("the slice's login cannot reach the socket, end the agent or inspect it", async () => {
      await asLogin(`sudo -n ${attach} </dev/null`);
      const pid = agentPid();
      const connect = `require("net").connect("/run/pl-vnm/confined.sock").on("error", (e) => console.log(e.code)).on("connect", () => console.log("connected"))`;
      expect(await asLogin(`$(command -v node || echo ${process.execPath}) -e '${connect}'`)).toMatchObject({
        stdout: 'EACCES\n',
      });
      for (const signal of ['TERM', 'KILL', 'STOP', 'USR1', 'HUP']) {
        expect(await asLogin(`kill -${signal} ${pid}`)).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('Operation not permitted'),
        });
      }
      for (const name of ['environ', 'mem', 'maps', 'fd/', 'cwd/']) {
        expect(await asLogin(`ls /proc/${pid}/${name} && head -c 1 /proc/${pid}/${name}`)).not.toMatchObject({
          code: 0,
        });
      }
      expect(agentPid()).toBe(pid);
      expect(gw1.asRoot(`cat /proc/${pid}/cmdline | tr '\\0' ' '`)).toContain('daemon --slice confined');
    });

    it("the slice's login cannot pass its environment or directory to the agent", async () => {
      // The agent is started again by an attach whose whole environment is a trap.
      gw1.asRoot(`kill ${agentPid()}; while [ -S /run/pl-vnm/confined.sock ]; do sleep 0.1; done`);
      gw1.asRoot('mkdir -m 1777 /run/evil');
      // Even a sudo that is set to keep the environment does not pass it.
      gw1.asRoot(
        `printf 'Defaults !env_reset, !secure_path, env_keep += "PATH NODE_OPTIONS NODE_PATH PL_VNM_DIR TMPDIR HOME ENV BASH_ENV"\\n' >/etc/sudoers.d/careless`,
      );
      const trap = ['node', 'env', 'sh', 'flock', 'ip', 'tc', 'nsenter', 'chrt']
        .map((name) => `printf '#!/bin/sh\\nid >>/run/evil/sprung\\n' >${name}; chmod 755 ${name}`)
        .join('; ');
      const script = 'require("fs").appendFileSync("/run/evil/sprung", "required")';
      const environment = [
        'PATH=/run/evil:$PATH',
        'NODE_OPTIONS=--require=/run/evil/evil.cjs',
        'NODE_PATH=/run/evil',
        'LD_PRELOAD=/run/evil/evil.so',
        'LD_LIBRARY_PATH=/run/evil',
        'PL_VNM_DIR=/run/evil',
        'ENV=/run/evil/sh',
        'BASH_ENV=/run/evil/sh',
        'TMPDIR=/run/evil',
        'IFS=/',
        'HOME=/run/evil',
      ];
      const sudo = '/usr/bin/sudo';
      const { code } = await asLogin(
        `cd /run/evil && ${trap}; printf '${script}' >evil.cjs; ln -s ${attach} attach-confined; export ${environment.join(' ')}; ${sudo} -n ${attach} </dev/null`,
      );
      expect(code).toBe(0);
      const pid = agentPid();
      const { nodes } = await doctor();
      expect(nodes.find(({ node }) => node === 'gw1')).toMatchObject({ agent: { pid }, problems: [] });
      expect(gw1.asRoot(`tr '\\0' '\\n' </proc/${pid}/environ`)).toBe('PATH=/usr/sbin:/usr/bin:/sbin:/bin\n');
      expect(gw1.asRoot(`readlink /proc/${pid}/cwd`)).toBe('/\n');
      expect(gw1.asRoot('ls /run/evil')).not.toContain('sprung');
    });

    it("the slice's login cannot make root write a core file in its directory", async () => {
      const attached = asLogin(
        `cd /run/evil && umask 0 && ulimit -S -c unlimited && sleep 10 | /usr/bin/sudo -n ${attach}`,
      );
      const look = (command: string) =>
        gw1.asRoot(`for process in $(pgrep -f 'mjs ${command} --slice confined$'); do
          readlink /proc/$process/cwd; grep 'core file size' /proc/$process/limits | tr -s ' '
        done`);
      const none = /^(\/\nMax core file size 0 \S+ bytes \n)+$/;
      await vi.waitFor(() => expect(look('attach')).toMatch(none), { timeout: 60_000 });
      expect(look('daemon')).toMatch(none);
      expect((await attached).code).toBe(0);
    });
  });

  describe('the policy', () => {
    it('a policy takes effect at once, limits the slice, and stays when the agent is updated', async () => {
      const limits = ['--limit', 'tunnels=1', '--limit', 'trafficBps=1e5'];
      const { json } = await agentCommand('install', '--node', 'gw1', ...limits);
      expect(json.agents).toMatchObject([
        { change: 'updated', policy: { limits: { tunnels: 1, trafficBps: 100_000 } } },
      ]);
      expect((await agentCommand('install', '--node', 'gw1')).json.agents).toMatchObject([{ change: 'unchanged' }]);
      const { code, json: refused } = await own.vnm.json('install', file);
      expect([code, refused]).toEqual([
        1,
        {
          error: expect.objectContaining({
            code: 'forbidden',
            message: expect.stringMatching(
              /^node 'gw1': slice 'confined' would have \d+ tunnels, but its policy there allows 1$/,
            ),
          }),
        },
      ]);
      await agentCommand('install', '--node', 'gw1', '--operations', 'netns_up,netns_down');
      expect((await own.vnm.json('install', file)).json).toMatchObject({
        error: {
          code: 'forbidden',
          message: expect.stringMatching(
            /slice 'confined' may not use '\w+' on this node \(allowed: netns_up, netns_down\)/,
          ),
        },
      });
    });
  });

  describe('an update', () => {
    it('an update does not end an agent that has something armed, and reports it', async () => {
      const { json } = await agentCommand('install', '--node', 'gw1', '--operations', '*', '--limit', 'tunnels=1024');
      const { policy } = json.agents[0]!;
      const target = { node: 'gw1', host: '127.0.0.1', port: gw1.port, user: login, keyPath: shared.sliceKey };
      const agent = await connectAgent({ ...target, slice: 'confined' }, { acceptNewHostKeys: true, policy });
      const name = `${policy.interfacePrefix}x`;
      const tunnel = { kind: 'vxlan', mac: '02:00:00:00:00:01', mtu: 1400, remote: '192.0.2.9', port: 4790 } as const;
      await agent.call('apply', {
        operations: [
          { op: 'tunnel_up', interface: name, ...tunnel, vni: policy.vnis.first },
          { op: 'gate_up', interface: name, limitBytes: 10_000 },
        ],
      });
      const actions = [{ kind: 'gate_open', offsetMs: 0, interface: name } as const];
      await agent.call('arm', { id: 'later', at: Date.now() + 3_600_000, actions });
      const { pid } = agent.facts.agent;
      const update = () => agentCommand('install', '--node', 'gw1', '--limit', 'armed=9');
      expect((await update()).json.agents).toMatchObject([
        {
          change: 'updated',
          stillRunning: `the agent with pid ${pid} keeps running as it was started: the agent cannot shut down: 'later' is armed`,
        },
      ]);
      expect((await agent.call('hello', {})).policy.limits.armed).toBe(64);
      await agent.call('cancel', { id: 'later' });
      await agent.call('apply', { operations: [{ op: 'tunnel_down', interface: name }] });
      const [again] = (await update()).json.agents;
      expect(again).toMatchObject({ change: 'unchanged', policy: { limits: { armed: 9 } } });
      expect(again).not.toHaveProperty('stillRunning');
      agent.close();
    });
  });

  describe('another version', () => {
    it('an agent of another version is refused with the command for the administrator, and keeps running', async () => {
      const installed = gw1.asRoot(`cat ${attach}`);
      const digest = /agent-([0-9a-f]{64})/.exec(installed)![1]!;
      const older = digest.replaceAll(/./g, '0');
      gw1.asRoot(
        `cd /usr/local/lib/pl-vnm && cp agent-${digest}.mjs agent-${older}.mjs && sed -i s/${digest}/${older}/ ${attach}`,
      );
      const { nodes } = await doctor();
      const version = nodes.find(({ node }) => node === 'gw2')!.agent!.version;
      expect(nodes.find(({ node }) => node === 'gw1')!.problems.join()).toContain(
        `the agent installed on ${place('gw1')} for slice 'confined' (digest 000000000000) differs from that of this pl-vnm (version ${version}, digest ${digest.slice(0, 12)})`,
      );
      expect((await agentCommand('install')).json.agents).toMatchObject(
        names.map((name) => ({ node: name, change: name === 'gw1' ? 'updated' : 'unchanged' })),
      );
      expect(await doctor()).toMatchObject({ ok: true });
    });
  });

  it('no key is in the database or in a log', () => {
    const secrets = [shared.sliceKey, shared.adminKey].flatMap((path) =>
      readFileSync(path, 'utf8').split('\n').slice(1, 4),
    );
    const database = ['', '-wal'].map((end) => readIfThere(`${own.vnm.database}${end}`)).join('');
    const logs = [...shared.nodes.values()].map((node) => node.asRoot('cat /run/pl-vnm/*.log')).join('');
    expect(database).toContain(shared.sliceKey);
    expect(logs).toContain('hello');
    for (const secret of secrets.filter((line) => line.length > 20)) expect(database + logs).not.toContain(secret);
  });

  it('the agent leaves no trace when it is uninstalled', async () => {
    const pid = agentPid();
    const { code, stderr } = await agentCommand('uninstall');
    expect(code, stderr).toBe(0);
    for (const node of shared.nodes.values()) {
      expect(
        node.asRoot('ls -d /usr/local/lib/pl-vnm /etc/pl-vnm /run/pl-vnm /etc/sudoers.d/pl-vnm* 2>/dev/null; true'),
      ).toBe('');
    }
    // A process that has ended has no command line, even if its parent has not collected it yet.
    const ended = () => expect(gw1.asRoot(`readlink /proc/${pid}/exe || echo ended`)).toBe('ended\n');
    await vi.waitFor(ended, { timeout: 60_000 });
    expect((await asLogin(`sudo -n ${attach}`)).code).toBe(1);
    expect((await agentCommand('uninstall')).json).toMatchObject({
      nodes: names.map((node) => ({ node, removed: false })),
    });
    expect((await doctor()).nodes[0]!.problems.join()).toContain('is not root and may not become root');
  });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
