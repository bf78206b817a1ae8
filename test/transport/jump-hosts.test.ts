/** Jump hosts, by both transports: OpenSSH servers that only forward, and nodes behind them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { connectSsh, type SshSession } from '../../src/transport/ssh-session.ts';
import type { SshTarget } from '../../src/transport/ssh-types.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { startSshAgent } from '../support/ssh-agent.ts';
import { hold, loginsOf, type Sshd, type SshdDirectory, sshdDirectory, sshdPath } from '../support/sshd.ts';
import { temporaryHome } from '../support/temporary-home.ts';

const name = 'jump hosts';
if (sshdPath !== undefined) describeAsRoot(name, suite);
else if (process.env.CI === 'true')
  throw new Error(`'${name}' cannot run: sshd is not installed, and in CI nothing is skipped`);
else it.skip(`${name} (sshd is not installed)`, () => undefined);

/** What an administrator writes who allows nothing but forwarding. */
const onlyForwards = ['MaxSessions 0', 'PermitTTY no', 'X11Forwarding no', 'AllowTcpForwarding local'];

function suite(): void {
  let directory: SshdDirectory;
  let home: ReturnType<typeof temporaryHome>;
  let node: Sshd;
  const sessions: SshSession[] = [];
  const file = (name: string) => directory.file(name);
  const keygen = (name: string, ...options: string[]) =>
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-f', file(name), ...options], { stdio: 'ignore' });
  const bastion = (...lines: string[]) =>
    directory.start([`AuthorizedKeysFile ${file('jump.pub')}`, ...onlyForwards, ...lines]);

  beforeAll(async () => {
    directory = sshdDirectory();
    keygen('jump', '-N', '');
    keygen('locked', '-N', 'a passphrase');
    keygen('other-host', '-N', '');
    node = await directory.start([]);
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
    const ending = sessions.splice(0).map(
      (session) =>
        new Promise((resolve) => {
          session.close();
          session.onClose(resolve);
        }),
    );
    await Promise.all(ending);
  }

  describe.each(['ssh2', 'openssh'] as const)('%s', (transport) => {
    async function connect(
      jumps: readonly (Sshd & { key?: string })[],
      { accept = true, ...more }: Partial<SshTarget> & { accept?: boolean } = {},
    ): Promise<SshSession> {
      const jump = jumps.map(({ port, key = 'jump' }) => ({ host: '127.0.0.1', port, user: 'root', key: file(key) }));
      const login = { port: node.port, user: 'root', keyPath: file('client') };
      // Several processes at once take their time on a busy machine.
      const target = { node: 'n1', host: '127.0.0.1', ...login, patience: 60 };
      const ssh = { config: 'none', transport, jump } as const;
      const session = await connectSsh({ ...target, ssh, ...more }, { acceptNewHostKeys: accept });
      sessions.push(session);
      return session;
    }
    async function failure(promise: Promise<unknown>): Promise<Pick<VnmError, 'code' | 'message' | 'hint'>> {
      const error = await promise.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(VnmError);
      const { code, message, hint } = error as VnmError;
      return { code, message: message.replace(/SHA256:[\w+/]+/, 'SHA256:...'), hint };
    }
    const echo = async (session: SshSession) => (await session.exec('echo arrived')).stdout.toString();
    const ended = (jump: Sshd) =>
      vi.waitFor(() => expect(loginsOf(jump), jump.log()).toEqual({ accepted: 1, ended: 1 }), { timeout: 60_000 });
    const trust = (...lines: string[]) =>
      writeFileSync(join(home.path, '.ssh', 'known_hosts'), `${lines.join('\n')}\n`);
    const known = ({ port }: Sshd, key = 'host') =>
      `[127.0.0.1]:${port} ${readFileSync(file(`${key}.pub`), 'utf8').trim()}`;

    it('one connection to the jump host carries all sessions, and ends with the last one', async () => {
      const jump = await bastion();
      await connect([jump]);
      const others = await Promise.all(Array.from({ length: transport === 'ssh2' ? 20 : 5 }, () => connect([jump])));
      expect(await Promise.all(others.map(echo))).toEqual(others.map(() => 'arrived\n'));
      expect(loginsOf(jump)).toEqual({ accepted: 1, ended: 0 });
      await endSessions();
      await ended(jump);
      expect(await echo(await connect([jump]))).toBe('arrived\n');
      expect(loginsOf(jump).accepted).toBe(2);
    });

    it('several hops are passed in their order', async () => {
      const [first, second] = [await bastion(), await bastion()];
      const two = await Promise.all([connect([first, second]), connect([first, second]), connect([first])]);
      expect(await Promise.all(two.map(echo))).toEqual(two.map(() => 'arrived\n'));
      expect([loginsOf(first).accepted, loginsOf(second).accepted]).toEqual([1, 1]);
      await endSessions();
      for (const jump of [first, second]) await ended(jump);
    });

    it('the ssh agent has the key of the jump host', async () => {
      const jump = {
        ...(await directory.start([`AuthorizedKeysFile ${file('locked.pub')}`, ...onlyForwards])),
        key: 'locked',
      };
      expect((await failure(connect([jump]))).message).toContain("authentication as 'root' failed");
      const agent = await startSshAgent(home.path, 'a passphrase', [file('locked')]);
      process.env.SSH_AUTH_SOCK = agent.socket;
      try {
        expect(await echo(await connect([jump]))).toBe('arrived\n');
        // The private file is not needed.
        await endSessions();
        expect(await echo(await connect([{ ...jump, key: 'locked.pub' }]))).toBe('arrived\n');
      } finally {
        await agent.stop();
      }
    });

    it('a host key of the jump host that is unknown or has changed is refused', async () => {
      const jump = await bastion();
      const place = `node 'n1' (127.0.0.1:${node.port}) cannot be reached: jump host '127.0.0.1' (127.0.0.1:${jump.port}) cannot be reached`;
      trust(known(node));
      expect(await failure(connect([jump], { accept: false }))).toEqual({
        code: 'unreachable',
        message: `${place}: its host key ssh-ed25519 SHA256:... is unknown`,
        hint: 'compare the fingerprint with the node, then repeat with --accept-new-host-keys',
      });
      trust(known(node), known(jump, 'other-host'));
      const file = join(home.path, '.ssh', 'known_hosts');
      for (const accept of [true, false]) {
        expect(await failure(connect([jump], { accept }))).toEqual({
          code: 'unreachable',
          message: `${place}: its host key has changed to ssh-ed25519 SHA256:...; ${file}:2 has another one`,
          hint: expect.stringContaining(`ssh-keygen -R '[127.0.0.1]:${jump.port}' -f ${file}`),
        });
      }
      trust(known(node), known(jump));
      await connect([jump], { accept: false });
      expect(readFileSync(file, 'utf8')).toBe(`${known(node)}\n${known(jump)}\n`);
    });

    it('a host key of the node that has changed is refused behind a jump host, too', async () => {
      const jump = await bastion();
      trust(known(jump), known(node, 'other-host'));
      expect((await failure(connect([jump], { accept: false }))).message).toMatch(
        /^node 'n1' \(127\.0\.0\.1:\d+\) cannot be reached: its host key has changed to/,
      );
    });

    it('the error names a jump host that does not connect to the node', async () => {
      const jump = await bastion();
      const closed = await directory.start([]);
      await closed.close();
      expect(await failure(connect([jump], { port: closed.port }))).toEqual({
        code: 'unreachable',
        message: expect.stringMatching(
          /^node 'n1' \(.*\) cannot be reached: jump host '127.0.0.1' \(127.0.0.1:\d+\) does not connect to it/,
        ),
        hint: expect.stringContaining('AllowTcpForwarding, PermitOpen'),
      });
      const strict = await bastion('PermitOpen 127.0.0.1:1');
      expect((await failure(connect([strict]))).message).toContain('does not connect to it');
    });

    it('a log-in that the jump host drops is tried again (MaxStartups)', async () => {
      const jump = await bastion('MaxStartups 1:100:1');
      const release = await hold(jump.port);
      const connecting = [connect([jump]), connect([jump])];
      setTimeout(release, 400);
      expect(await Promise.all((await Promise.all(connecting)).map(echo))).toEqual(['arrived\n', 'arrived\n']);
      expect(loginsOf(jump).accepted).toBe(1);
    });

    it('when the jump host is lost, the error says so', async () => {
      const jump = await directory.start([`AuthorizedKeysFile ${file('jump.pub')}`, ...onlyForwards]);
      const session = await connect([jump]);
      const ended = new Promise<unknown>((resolve) => session.onClose(resolve));
      jump.drop();
      expect(await ended).toMatchObject({
        code: 'unreachable',
        message: expect.stringMatching(
          /^the connection to node 'n1' \(.*\) was lost: the connection to jump host '127.0.0.1' \(.*\) was lost: the node hung up$/,
        ),
      });
      await expect(session.exec('true')).rejects.toMatchObject({ code: 'unreachable' });
    });

    it('no ssh agent is forwarded, whatever the configuration says', async () => {
      const agent = await startSshAgent(home.path, 'a passphrase', []);
      process.env.SSH_AUTH_SOCK = agent.socket;
      const config = join(home.path, 'config');
      writeFileSync(
        config,
        `Host *\n  ForwardAgent yes\n  RemoteForward 1 127.0.0.1:1\n  PermitLocalCommand yes\n  LocalCommand touch ${home.path}/ran\n`,
      );
      const jump = await bastion();
      try {
        const servers = [{ host: '127.0.0.1', port: jump.port, user: 'root', key: file('jump') }];
        const session = await connect([jump], { ssh: { config, transport, jump: servers } });
        expect((await session.exec('echo "[$SSH_AUTH_SOCK]"')).stdout.toString()).toBe('[]\n');
        expect(() => readFileSync(join(home.path, 'ran'))).toThrow('ENOENT');
      } finally {
        await agent.stop();
      }
    });

    it('servers are reached by IPv6 addresses, in whatever spelling', async () => {
      const [jump, behind] = [await bastion(), await directory.start([], '::1')];
      const at = { host: '0::0:1', port: behind.port };
      const known = `[::1]:${behind.port} `;
      for (const jumps of [[], [jump]]) {
        const place = `node 'n1' ([::1]:${behind.port})`;
        trust();
        if (jumps.length === 0)
          expect((await failure(connect([], { ...at, accept: false }))).message).toContain(
            `${place} cannot be reached: its host key`,
          );
        const session = await connect(jumps, at);
        expect(await echo(session)).toBe('arrived\n');
        expect(session.target.host).toBe('::1');
        expect(readFileSync(join(home.path, '.ssh', 'known_hosts'), 'utf8')).toContain(known);
      }
    });

    it('a stock configuration with a bastion is enough', async () => {
      const jump = await bastion();
      const config = join(home.path, 'config');
      const lines = [
        ...['Host bastion', 'HostName 127.0.0.1', `Port ${jump.port}`, 'User root', `IdentityFile ${file('jump')}`],
        ...[
          'Host lab-*',
          'HostName 127.0.0.1',
          `Port ${node.port}`,
          `IdentityFile ${file('client')}`,
          'IdentitiesOnly yes',
        ],
        ...['Match host 127.0.0.1 user root', 'UserKnownHostsFile /dev/null', 'StrictHostKeyChecking no'],
        ...['Match originalhost lab-*', 'ProxyJump bastion', ''],
      ];
      writeFileSync(config, lines.join('\n'));
      process.env.XDG_STATE_HOME = join(home.path, 'state');
      const targets = ['lab-1', 'lab-2'].map((host) => ({
        node: host,
        host,
        user: 'root',
        ssh: { config, transport },
      }));
      const open = async (acceptNewHostKeys: boolean) => {
        const made = await Promise.all(targets.map((target) => connectSsh(target, { acceptNewHostKeys })));
        sessions.push(...made);
        return made;
      };
      try {
        // The check stays on although the configuration switches it off, and what is accepted is kept.
        expect((await failure(open(false))).message).toContain('is unknown');
        expect(await Promise.all((await open(true)).map(echo))).toEqual(['arrived\n', 'arrived\n']);
        expect(loginsOf(jump).accepted).toBe(1);
        await endSessions();
        await open(false);
        expect(readFileSync(join(home.path, 'state', 'pl-vnm', 'known_hosts'), 'utf8')).toContain(
          `[127.0.0.1]:${jump.port} `,
        );
      } finally {
        delete process.env.XDG_STATE_HOME;
      }
    });
  });
}
