/** The transport by the program `ssh`: what it can do that ssh2 cannot, and that nothing of it stays. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { connectAgent } from '../../src/transport/agent-connection.ts';
import { connectSsh, type SshSession } from '../../src/transport/ssh-session.ts';
import type { SshTarget } from '../../src/transport/ssh-types.ts';
import { policySchema } from '../../src/vsys/policy.ts';
import { fakeBundle } from '../support/fake-agent.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { startSshAgent } from '../support/ssh-agent.ts';
import { hold, loginsOf, type SshdDirectory, sshdDirectory, sshdPath } from '../support/sshd.ts';
import { temporaryHome } from '../support/temporary-home.ts';

vi.mock('../../src/transport/agent-bundle.ts', () => ({ agentBundle: async () => fakeBundle }));

const name = 'the program ssh';
if (sshdPath !== undefined) describeAsRoot(name, suite);
else if (process.env.CI === 'true')
  throw new Error(`'${name}' cannot run: sshd is not installed, and in CI nothing is skipped`);
else it.skip(`${name} (sshd is not installed)`, () => undefined);

/** A program that connects, says so, and then does more with `session`. */
function connecting(target: SshTarget, more: string): string {
  const module = JSON.stringify(new URL('../../src/transport/ssh-session.ts', import.meta.url).href);
  return `
    import { connectSsh } from ${module};
    const session = await connectSsh(${JSON.stringify(target)}, { acceptNewHostKeys: true });
    ${more}
    console.log('connected');`;
}

function suite(): void {
  let directory: SshdDirectory;
  let home: ReturnType<typeof temporaryHome>;
  const sessions: SshSession[] = [];
  const file = (name: string) => directory.file(name);
  const keygen = (...words: string[]) => execFileSync('ssh-keygen', ['-q', ...words], { stdio: 'ignore' });

  beforeAll(() => {
    directory = sshdDirectory();
    for (const ca of ['user-ca', 'host-ca']) keygen('-t', 'ed25519', '-N', '', '-f', file(ca));
    keygen('-t', 'ed25519', '-N', 'a passphrase', '-f', file('locked'));
    keygen('-t', 'ed25519', '-N', '', '-f', file('signed'));
    keygen('-s', file('user-ca'), '-I', 'me', '-n', 'root', '-V', '+1h', file('signed.pub'));
    keygen('-s', file('host-ca'), '-I', 'n1', '-h', '-n', '127.0.0.1', '-V', '+1h', file('host.pub'));
  });
  afterAll(() => directory.remove());
  beforeEach(() => {
    home = temporaryHome();
    mkdirSync(join(home.path, '.ssh'));
  });
  afterEach(async () => {
    await endSessions();
    home.restore();
  });
  async function endSessions(): Promise<void> {
    const ending = sessions.splice(0).map((session) => {
      session.close();
      return new Promise((resolve) => session.onClose(resolve));
    });
    await Promise.all(ending);
  }

  const targetAt = (port: number, more: Partial<SshTarget> = {}): SshTarget => ({
    ...{ node: 'n1', host: '127.0.0.1', port, user: 'root', keyPath: file('client'), patience: 60 },
    ssh: { config: 'none', transport: 'openssh' },
    ...more,
  });
  async function connect(port: number, more: Partial<SshTarget> = {}, acceptNewHostKeys = true): Promise<SshSession> {
    const session = await connectSsh(targetAt(port, more), { acceptNewHostKeys });
    sessions.push(session);
    return session;
  }
  async function failure(promise: Promise<unknown>): Promise<{ code: string; message: string; hint: string }> {
    const error = await promise.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(VnmError);
    const { code, message, hint } = error as VnmError;
    return { code, message: message.replace(/^node 'n1' \(127.0.0.1:\d+\) /, ''), hint: hint ?? '' };
  }
  /** The processes of `ssh` whose control sockets are in folders of this process. */
  const programs = (pid = process.pid) =>
    readdirSync('/proc').filter((entry) => {
      if (!/^\d+$/.test(entry)) return false;
      try {
        return readFileSync(`/proc/${entry}/cmdline`, 'latin1').includes(`pl-vnm-ssh-${pid}-`);
      } catch {
        return false;
      }
    });

  it('commands get their input, and return their output and exit code', async () => {
    const { port, ...server } = await directory.start([]);
    const session = await connect(port);
    const bytes = Buffer.alloc(1_000_001, 'to and fro, ');
    const result = await session.exec('cat; echo end >&2; exit 9', { stdin: bytes });
    expect(result).toMatchObject({ code: 9, stderr: 'end\n' });
    expect(result.stdout.equals(bytes)).toBe(true);
    const all = await Promise.all([1, 2, 3, 4, 5].map((number) => session.exec(`echo ${number}; exit ${number}`)));
    expect(all.map(({ code, stdout }) => [code, stdout.toString()])).toEqual([1, 2, 3, 4, 5].map((n) => [n, `${n}\n`]));
    expect(await session.exec("printf '%s' \"a'b\\$c\"")).toMatchObject({ stdout: Buffer.from("a'b$c") });
    expect(loginsOf(server).accepted).toBe(1);
  });

  it('an interrupted command ends on the node', async () => {
    const session = await connect((await directory.start([])).port);
    const abort = new AbortController();
    const running = session.exec(`echo $$ >'${home.path}/pid'; exec sleep 1000`, { signal: abort.signal });
    await vi.waitFor(() => expect(existsSync(join(home.path, 'pid'))).toBe(true), { timeout: 20_000 });
    const pid = readFileSync(join(home.path, 'pid'), 'utf8').trim();
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: 'interrupted' });
    // Without a terminal sshd closes the streams, and leaves the process to itself.
    process.kill(Number(pid));
    expect((await session.exec('echo on')).stdout.toString()).toBe('on\n');
  });

  it('commands run one after the other where one session is allowed (MaxSessions 1)', async () => {
    const session = await connect((await directory.start(['MaxSessions 1'])).port);
    const words = ['a', 'b', 'c'];
    const results = await Promise.all(words.map((word) => session.exec(`sleep 0.1; echo ${word}`)));
    expect(results.map(({ stdout }) => stdout.toString())).toEqual(words.map((word) => `${word}\n`));
  });

  it('the error names a server that allows no session', async () => {
    const session = await connect((await directory.start(['MaxSessions 0'])).port);
    expect(await failure(session.exec('true'))).toEqual({
      code: 'failed',
      message: expect.stringContaining(
        'refused to open a session: session request failed: Session open refused by peer',
      ),
      hint: expect.stringContaining('MaxSessions'),
    });
  });

  it('a dropped log-in is tried again (MaxStartups)', async () => {
    const { port } = await directory.start(['MaxStartups 1:100:1']);
    const release = await hold(port);
    const connecting = connect(port);
    setTimeout(release, 400);
    await connecting;
  });

  it('a user certificate logs in', async () => {
    const { port } = await directory.start([`TrustedUserCAKeys ${file('user-ca.pub')}`, 'AuthorizedKeysFile none']);
    expect((await failure(connect(port))).message).toMatch(
      /authentication as 'root' failed: ssh tried \S*client; the server accepts publickey/,
    );
    await connect(port, { keyPath: file('signed') });
    // With ssh2 the hint leads there.
    const config = join(home.path, 'config');
    writeFileSync(config, `Host *\n  IdentityFile ${file('signed')}\n  CertificateFile ${file('signed-cert.pub')}\n`);
    const { keyPath: _, ...target } = targetAt(port);
    for (const way of [{ keyPath: file('signed'), ssh: { config: 'none' } }, { ssh: { config } }]) {
      const refused = connectSsh({ ...target, ...way }, { acceptNewHostKeys: true });
      expect((await failure(refused)).hint).toBe(
        "there is a certificate for the key, which only the program ssh can use: 'ssh: { transport: openssh }' in the slice file",
      );
    }
    await connect(port, { ...target, ssh: { config, transport: 'openssh' } });
  });

  it('a certificate authority of known_hosts vouches for the host, and no other does', async () => {
    const { port } = await directory.start([`HostCertificate ${file('host-cert.pub')}`]);
    const trust = (name: string) =>
      writeFileSync(
        join(home.path, '.ssh', 'known_hosts'),
        `@cert-authority [127.0.0.1]:${port} ${readFileSync(file(name), 'utf8')}`,
      );
    trust('host-ca.pub');
    await connect(port, {}, false);
    trust('user-ca.pub');
    expect((await failure(connect(port, {}, false))).message).toMatch(/its host key \S+ SHA256:\S+ is unknown/);
  });

  it('unknown host keys are refused or added, and changed and revoked ones refused', async () => {
    const { port } = await directory.start([]);
    const knownHosts = join(home.path, '.ssh', 'known_hosts');
    const line = (name: string) => `[127.0.0.1]:${port} ${readFileSync(file(name), 'utf8')}`;
    expect((await failure(connect(port, {}, false))).message).toMatch(
      /^cannot be reached: its host key ssh-ed25519 SHA256:\S+ is unknown$/,
    );
    expect(existsSync(knownHosts)).toBe(false);
    await connect(port, {}, true);
    expect(readFileSync(knownHosts, 'utf8')).toContain(`[127.0.0.1]:${port} ssh-ed25519 `);
    await connect(port, {}, false);
    writeFileSync(knownHosts, line('client.pub'));
    expect((await failure(connect(port))).message).toContain(`its host key has changed to ssh-ed25519 `);
    writeFileSync(knownHosts, `@revoked ${line('host.pub')}`);
    expect((await failure(connect(port))).message).toMatch(/its host key \S+ SHA256:\S+ is revoked/);
  });

  it('a configuration cannot switch the check of host keys off', async () => {
    const { port } = await directory.start([]);
    const config = join(home.path, 'config');
    const lines = ['StrictHostKeyChecking no', 'NoHostAuthenticationForLocalhost yes', 'UserKnownHostsFile /dev/null'];
    writeFileSync(config, ['Host *', ...lines, ''].join('\n'));
    process.env.XDG_STATE_HOME = join(home.path, 'state');
    try {
      const ssh = { config, transport: 'openssh' } as const;
      expect((await failure(connect(port, { ssh }, false))).message).toContain('is unknown');
      await connect(port, { ssh }, true);
      await connect(port, { ssh }, false);
    } finally {
      delete process.env.XDG_STATE_HOME;
    }
  });

  it('an encrypted key is used by an ssh agent, or where somebody can be asked for its passphrase', async () => {
    const { port } = await directory.start([`AuthorizedKeysFile ${file('locked.pub')}`]);
    const keyPath = file('locked');
    expect(await failure(connect(port, { keyPath }))).toEqual({
      code: 'unreachable',
      message: expect.stringContaining("authentication as 'root' failed"),
      hint: expect.stringContaining('ssh-add'),
    });
    const agent = await startSshAgent(home.path, 'a passphrase', [file('locked')]);
    try {
      process.env.SSH_AUTH_SOCK = agent.socket;
      await connect(port, { keyPath });
      delete process.env.SSH_AUTH_SOCK;
      Object.assign(process.env, agent.askpass);
      await Promise.all([connect(port, { keyPath }), connect(port, { keyPath })]);
    } finally {
      for (const name of Object.keys(agent.askpass)) delete process.env[name];
      await agent.stop();
    }
  });

  it('on a terminal ssh asks for what it needs', async () => {
    const { port } = await directory.start([`AuthorizedKeysFile ${file('locked.pub')}`]);
    const program = join(home.path, 'program.mjs');
    writeFileSync(program, connecting(targetAt(port, { keyPath: file('locked') }), 'session.close();'));
    const words = ['-qec', `${process.execPath} ${program}`, '/dev/null'];
    const child = spawn('script', words, { stdio: ['pipe', 'pipe', 'inherit'] });
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (!shown.includes('passphrase') && chunk.includes('passphrase')) child.stdin.write('a passphrase\n');
      shown += chunk.toString();
    });
    await once(child, 'close');
    expect(shown).toMatch(/Enter passphrase for key '\S+locked'/);
    expect(shown).toContain('connected');
  });

  it('a command for the connection (ProxyCommand) is used by ssh, and refused by ssh2', async () => {
    const { port } = await directory.start([]);
    const config = join(home.path, 'config');
    const relay = fileURLToPath(new URL('../support/relay-stdio.mjs', import.meta.url));
    writeFileSync(config, `Host far\n  HostName 192.0.2.1\n  ProxyCommand ${process.execPath} ${relay} ${port}\n`);
    const target = { node: 'n1', host: 'far', user: 'root', keyPath: file('client') };
    const session = await connectSsh({ ...target, ssh: { config, transport: 'openssh' } }, { acceptNewHostKeys: true });
    sessions.push(session);
    expect((await session.exec('echo through')).stdout.toString()).toBe('through\n');
    const refused = connectSsh({ ...target, ssh: { config } }, { acceptNewHostKeys: true });
    expect(await failure(refused)).toMatchObject({
      message: expect.stringContaining('the SSH configuration has a ProxyCommand for it'),
      hint: expect.stringContaining("'ssh: { transport: openssh }' in the slice file"),
    });
  });

  it('the agent is copied to the node and called', async () => {
    const { port } = await directory.start([`SetEnv PL_VNM_DIR=${file('node')}`]);
    const ids = { interfacePrefix: 'pv001-', namespacePrefix: 'pv-demo-', table: 50_001, rulePriority: 10_001 };
    const ranges = { nexthops: { first: 65_536, last: 131_071 }, vnis: { first: 4096, last: 8191 } };
    const policy = policySchema.parse({ slice: 'demo', vnet: '10.65.0.0/16', ...ids, ...ranges });
    for (const _ of [1, 2]) {
      const connection = await connectAgent({ ...targetAt(port), slice: 'demo' }, { acceptNewHostKeys: true, policy });
      const closed = new Promise((resolve) => connection.onClose(resolve));
      expect(connection.facts.agent.digest).toBe(fakeBundle.digest);
      connection.close();
      expect(await closed).toBeUndefined();
    }
    expect(readdirSync(join(file('node'), 'lib'))).toEqual([`agent-${fakeBundle.digest}.mjs`]);
  });

  it('a lost connection is reported, and a closed one is not', async () => {
    const server = await directory.start([]);
    const session = await connect(server.port);
    const ended = new Promise<unknown>((resolve) => session.onClose(resolve));
    const running = session.exec('sleep 100');
    await sleep(200);
    server.drop();
    expect(await ended).toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/^the connection to node 'n1' \(.*\) was lost: the node hung up$/),
    });
    await expect(running).rejects.toMatchObject({ code: 'unreachable' });
    await expect(session.exec('true')).rejects.toMatchObject({ code: 'unreachable' });
    const other = await connect(server.port);
    other.close();
    expect(await new Promise((resolve) => other.onClose(resolve))).toBeUndefined();
  });

  it('no process of ssh stays when the sessions are closed, or the controller is killed', async () => {
    const { port } = await directory.start([]);
    await (await connect(port)).exec('true');
    expect(programs().length).toBe(1);
    await endSessions();
    await vi.waitFor(() => expect(programs()).toEqual([]), { timeout: 20_000 });

    const script = connecting(targetAt(port), "await session.openChannel('cat');");
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(programs(child.pid).length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(programs(child.pid)).toEqual([]), { timeout: 60_000 });
  });

  it('the error says that there is no program ssh', async () => {
    const path = process.env.PATH;
    process.env.PATH = home.path;
    try {
      expect(await failure(connect(1))).toEqual({
        code: 'unsupported',
        message: "has transport openssh, but there is no program 'ssh' here",
        hint: "install the OpenSSH client, or remove 'transport: openssh' from the slice file",
      });
    } finally {
      process.env.PATH = path;
    }
  });
}
