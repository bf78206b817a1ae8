/** The same against OpenSSH: its server, its key files and its ssh agent. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectSocket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { connectAgent } from '../../src/transport/agent-connection.ts';
import { connectSsh, type SshSession } from '../../src/transport/ssh-session.ts';
import type { SshTarget } from '../../src/transport/ssh-types.ts';
import { policySchema } from '../../src/vsys/policy.ts';
import { fakeBundle } from '../support/fake-agent.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { temporaryHome } from '../support/temporary-home.ts';

vi.mock('../../src/transport/agent-bundle.ts', () => ({ agentBundle: async () => fakeBundle }));

const sshd = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find(existsSync);
const name = 'OpenSSH';
if (sshd !== undefined) describeAsRoot(name, suite);
else if (process.env.CI === 'true')
  throw new Error(`'${name}' cannot run: sshd is not installed, and in CI nothing is skipped`);
else it.skip(`${name} (sshd is not installed)`, () => undefined);

function suite(): void {
  let directory: string;
  let port: number;
  let server: ChildProcess;
  let home: ReturnType<typeof temporaryHome>;
  const sessions: SshSession[] = [];
  const file = (name: string) => join(directory, name);
  const keygen = (path: string, ...options: string[]) =>
    execFileSync('ssh-keygen', ['-q', '-f', path, ...options], { stdio: 'ignore' });
  const authorize = (...names: string[]) =>
    writeFileSync(file('authorized_keys'), names.map((one) => readFileSync(file(`${one}.pub`), 'utf8')).join(''));

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-sshd-'));
    for (const type of ['ed25519', 'rsa', 'ecdsa']) keygen(file(`host_${type}`), '-t', type, '-N', '');
    for (const type of ['ed25519', 'rsa', 'ecdsa']) keygen(file(`client_${type}`), '-t', type, '-N', '');
    keygen(file('client_encrypted'), '-t', 'ed25519', '-N', 'a passphrase');
    keygen(file('client_stranger'), '-t', 'ed25519', '-N', '');
    port = await freePort();
    writeFileSync(
      file('config'),
      `ListenAddress 127.0.0.1:${port}
HostKey ${file('host_ed25519')}
HostKey ${file('host_rsa')}
HostKey ${file('host_ecdsa')}
AuthorizedKeysFile ${file('authorized_keys')}
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
SetEnv PL_VNM_DIR=${file('node')}
`,
    );
    // sshd requires it; elsewhere the service manager makes it.
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    server = spawn(sshd!, ['-D', '-e', '-f', file('config')], { stdio: 'ignore' });
    await untilOpen(port);
  });
  afterAll(async () => {
    await end(server);
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(() => {
    home = temporaryHome();
  });
  afterEach(async () => {
    await Promise.all(
      sessions.splice(0).map((session) => {
        session.close();
        return new Promise((resolve) => session.onClose(resolve));
      }),
    );
    home.restore();
  });

  const target = (keyName: string): SshTarget => ({
    node: 'n1',
    host: '127.0.0.1',
    port,
    user: 'root',
    keyPath: file(keyName),
  });
  async function connect(where: SshTarget, acceptNewHostKeys = true): Promise<SshSession> {
    const session = await connectSsh(where, { acceptNewHostKeys });
    sessions.push(session);
    return session;
  }

  it.each(['client_ed25519', 'client_rsa', 'client_ecdsa'])('sshd accepts %s and runs commands', async (key) => {
    authorize(key);
    const session = await connect(target(key));
    const bytes = Buffer.alloc(1_000_001, 'to and fro, ');
    const result = await session.exec('cat; echo end >&2; exit 9', { stdin: bytes });
    expect(result).toMatchObject({ code: 9, stderr: 'end\n' });
    expect(result.stdout.equals(bytes)).toBe(true);
    expect(await session.exec('kill -KILL $$')).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it.each(['ed25519', 'rsa', 'ecdsa'])('sshd shows its %s key when that is the known one', async (type) => {
    authorize('client_ed25519');
    mkdirSync(join(home.path, '.ssh'));
    const line = `[127.0.0.1]:${port} ${readFileSync(file(`host_${type}.pub`), 'utf8')}`;
    writeFileSync(join(home.path, '.ssh', 'known_hosts'), line);
    execFileSync('ssh-keygen', ['-q', '-H', '-f', join(home.path, '.ssh', 'known_hosts')], { stdio: 'ignore' });
    await connect(target('client_ed25519'), false);
  });

  it('ssh accepts the known_hosts file that was written', async () => {
    authorize('client_ed25519');
    await connect(target('client_ed25519'));
    const knownHosts = join(home.path, '.ssh', 'known_hosts');
    const options = [
      '-F',
      'none',
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=yes',
      '-o',
      `UserKnownHostsFile=${knownHosts}`,
    ];
    const command = ['-i', file('client_ed25519'), '-p', String(port), 'root@127.0.0.1', 'echo trusted'];
    expect(execFileSync('ssh', [...options, ...command], { stdio: 'pipe' }).toString()).toBe('trusted\n');
  });

  it('a refused login is reported with the keys that were tried', async () => {
    authorize('client_ed25519');
    await expect(connect(target('client_stranger'))).rejects.toMatchObject({
      code: 'unreachable',
      message: `node 'n1' (127.0.0.1:${port}) cannot be reached: authentication as 'root' failed: tried ${file('client_stranger')}`,
    });
  });

  it('the ssh agent unlocks an encrypted key', async () => {
    authorize('client_encrypted');
    await expect(connect(target('client_encrypted'))).rejects.toMatchObject({
      message: `node 'n1' (127.0.0.1:${port}) cannot be reached: authentication as 'root' failed: no key to try; ${file('client_encrypted')} is encrypted`,
      hint: `add the key to an ssh agent: ssh-add ${file('client_encrypted')}`,
    });
    const socket = file('agent.sock');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    try {
      await vi.waitFor(() => expect(existsSync(socket)).toBe(true), { timeout: 60_000 });
      process.env.SSH_AUTH_SOCK = socket;
      await expect(connect(target('client_encrypted'))).rejects.toMatchObject({
        message: `node 'n1' (127.0.0.1:${port}) cannot be reached: authentication as 'root' failed: tried the ssh agent; ${file('client_encrypted')} is encrypted`,
      });
      writeFileSync(file('askpass'), "#!/bin/sh\necho 'a passphrase'\n", { mode: 0o755 });
      const askpass = { SSH_ASKPASS: file('askpass'), SSH_ASKPASS_REQUIRE: 'force' };
      execFileSync('ssh-add', ['-q', file('client_encrypted')], {
        env: { ...process.env, ...askpass },
        stdio: 'ignore',
      });
      await connect(target('client_encrypted'));
      const { keyPath: _, ...anyKey } = target('');
      await connect(anyKey);
    } finally {
      await end(agent);
    }
  });

  it('the node gets the agent, which survives controllers that come and go', async () => {
    authorize('client_ed25519');
    const ids = { interfacePrefix: 'pv001-', namespacePrefix: 'pv-demo-', table: 50_001, rulePriority: 10_001 };
    const ranges = { nexthops: { first: 65_536, last: 131_071 }, vnis: { first: 4096, last: 8191 } };
    const policy = policySchema.parse({ slice: 'demo', vnet: '10.65.0.0/16', ...ids, ...ranges });
    for (const _ of [1, 2]) {
      const connection = await connectAgent(
        { ...target('client_ed25519'), slice: 'demo' },
        { acceptNewHostKeys: true, policy },
      );
      const closed = new Promise((resolve) => connection.onClose(resolve));
      expect(connection.facts.agent.digest).toBe(fakeBundle.digest);
      connection.close();
      expect(await closed).toBeUndefined();
    }
    expect(readdirSync(join(file('node'), 'lib'))).toEqual([`agent-${fakeBundle.digest}.mjs`]);
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilOpen(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const socket = connectSocket(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await sleep(50);
  }
  throw new Error('sshd did not start');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}
