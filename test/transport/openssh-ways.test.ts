/** OpenSSH servers with unusual settings: the controller gets in where it can, and otherwise says why. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { surveyNode } from '../../src/transport/node-survey.ts';
import { connectSsh, type SshSession } from '../../src/transport/ssh-session.ts';
import type { SshTarget } from '../../src/transport/ssh-types.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { hold, type SshdDirectory, sshdDirectory, sshdPath } from '../support/sshd.ts';
import { temporaryHome } from '../support/temporary-home.ts';

const name = 'OpenSSH with unusual settings';
if (sshdPath !== undefined) describeAsRoot(name, suite);
else if (process.env.CI === 'true')
  throw new Error(`'${name}' cannot run: sshd is not installed, and in CI nothing is skipped`);
else it.skip(`${name} (sshd is not installed)`, () => undefined);

function suite(): void {
  let directory: SshdDirectory;
  let home: ReturnType<typeof temporaryHome>;
  const sessions: SshSession[] = [];
  beforeAll(() => {
    directory = sshdDirectory();
  });
  afterAll(() => directory.remove());
  beforeEach(() => {
    home = temporaryHome();
    mkdirSync(join(home.path, '.ssh'));
  });
  afterEach(() => {
    for (const session of sessions.splice(0)) session.close();
    home.restore();
  });

  async function connect(port: number, more: Partial<SshTarget> = {}, acceptNewHostKeys = true): Promise<SshSession> {
    const target = { node: 'n1', host: '127.0.0.1', port, user: 'root', keyPath: directory.file('client'), ...more };
    const session = await connectSsh(target, { acceptNewHostKeys });
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
  const survey = (session: SshSession) => surveyNode(session, 'demo', '0'.repeat(64), undefined);

  it('commands run one after the other where one session is allowed (MaxSessions 1)', async () => {
    const { port } = await directory.start(['MaxSessions 1']);
    const session = await connect(port);
    const words = ['a', 'b', 'c', 'd', 'e'];
    const results = await Promise.all(words.map((word) => session.exec(`sleep 0.1; echo ${word}`)));
    expect(results.map(({ stdout }) => stdout.toString())).toEqual(words.map((word) => `${word}\n`));
    const kept = await session.openChannel('cat');
    const waiting = session.exec('echo after');
    kept.resume();
    kept.end();
    expect((await waiting).stdout.toString()).toBe('after\n');
  });

  it('the error names a server that allows no session', async () => {
    const { port } = await directory.start(['MaxSessions 0']);
    expect(await failure((await connect(port)).exec('true'))).toEqual({
      code: 'failed',
      message: 'refused to open a session: open failed',
      hint: "allow sessions on the node's SSH server (MaxSessions in its sshd_config, one is enough)",
    });
  });

  it('a dropped log-in is tried again (MaxStartups), and reported if it is dropped every time', async () => {
    const { port } = await directory.start(['MaxStartups 1:100:1']);
    let release = await hold(port);
    const connecting = connect(port);
    setTimeout(release, 400);
    await connecting;
    release = await hold(port);
    try {
      expect(await failure(connect(port))).toEqual({
        code: 'unreachable',
        message: expect.stringContaining('cannot be reached: the node hung up'),
        hint: expect.stringContaining('its SSH server drops log-ins (MaxStartups, penalties)'),
      });
    } finally {
      release();
    }
  });

  it('many simultaneous log-ins stay within the usual MaxStartups', async () => {
    const { port } = await directory.start(['MaxStartups 8:100:8']);
    await connect(port);
    await Promise.all(Array.from({ length: 20 }, () => connect(port)));
  });

  it('the error has both lists where there is no common algorithm', async () => {
    const { port } = await directory.start(['KexAlgorithms sntrup761x25519-sha512@openssh.com']);
    const { message, hint } = await failure(connect(port));
    expect(message).toMatch(
      /^cannot be reached: no common key exchange algorithm with its SSH server \(SSH-2.0-OpenSSH[^)]*\): it offers sntrup761x25519-sha512@openssh.com.*; pl-vnm offers curve25519-sha256/,
    );
    expect(hint).toContain('KexAlgorithms');
  });

  it('the error says that only a certificate authority is known for the host', async () => {
    const { port } = await directory.start([]);
    const line = `@cert-authority *,[127.0.0.1]:* ${readFileSync(directory.file('host.pub'), 'utf8')}`;
    writeFileSync(join(home.path, '.ssh', 'known_hosts'), `# ours\n${line}`);
    expect(await failure(connect(port, {}, false))).toEqual({
      code: 'unreachable',
      message: expect.stringContaining('known_hosts:2 has a certificate authority for it (@cert-authority)'),
      hint: expect.stringContaining('--accept-new-host-keys'),
    });
    await connect(port);
  });

  it('the error says what the server accepts instead of keys, and quotes its banner', async () => {
    const file = directory.file('banner');
    writeFileSync(file, 'Use your token,\nplease.\n');
    const lines = ['PubkeyAuthentication no', 'PasswordAuthentication yes', 'KbdInteractiveAuthentication yes'];
    const { port } = await directory.start([...lines, `Banner ${file}`]);
    expect(await failure(connect(port))).toEqual({
      code: 'unreachable',
      message: expect.stringMatching(
        /the server says: Use your token, please\.; the server accepts only .*password.*$/,
      ),
      hint: expect.stringContaining('pl-vnm logs in with keys only'),
    });
  });

  it.each([
    ['only a command of the server', ['ForceCommand echo Choose: 1, 2 or 3'], 'Choose: 1, 2 or 3', 'no ForceCommand'],
    [
      'only file transfer',
      ['ForceCommand internal-sftp', 'Subsystem sftp internal-sftp'],
      'sftp',
      'file transfer only',
    ],
    ['no commands', ['ForceCommand /usr/sbin/nologin'], 'not available', 'give it a shell'],
    [
      'only a change of the password',
      ['ForceCommand echo "WARNING: Your password has expired." >&2; exit 1'],
      'Your password has expired',
      'change the password',
    ],
  ])('the error quotes a login that allows %s', async (_, lines, said, what) => {
    const { port } = await directory.start(lines);
    expect(await failure(survey(await connect(port)))).toEqual({
      code: 'failed',
      message: expect.stringMatching(new RegExp(`^the survey on node .* failed \\(.*${said}`, 's')),
      hint: expect.stringContaining(what),
    });
  });

  it('the survey works in a login that prints, even without a last newline', async () => {
    const { port } = await directory.start([
      'ForceCommand printf "Welcome> "; echo hello >&2; eval "$SSH_ORIGINAL_COMMAND"',
    ]);
    expect(await survey(await connect(port))).toMatchObject({ root: 'login' });
  });

  it.each([
    ['rsa, PKCS #8', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']],
    ['ec, PKCS #8', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['ed25519, PKCS #8', ['genpkey', '-algorithm', 'ED25519']],
  ])('a key file is accepted: %s', async (_, words) => {
    const key = directory.file('made');
    execFileSync('openssl', [...words, '-out', key], { stdio: 'pipe' });
    await takes(key, () => publicKeyFrom(key));
  });

  it.each([
    ['PEM, RSA', ['-t', 'rsa', '-m', 'PEM']],
    ['PEM, EC', ['-t', 'ecdsa', '-b', '384', '-m', 'PEM']],
    ['PKCS #8 of ssh-keygen', ['-t', 'rsa', '-m', 'PKCS8']],
    ['OpenSSH, ECDSA', ['-t', 'ecdsa', '-b', '521']],
  ])('a key file is accepted: %s, also with CRLF line ends and without the last one', async (_, words) => {
    const key = directory.file(`made-${words.join('')}`);
    execFileSync('ssh-keygen', ['-q', '-N', '', '-f', key, ...words]);
    await takes(key, () => readFileSync(`${key}.pub`, 'utf8'));
    writeFileSync(key, readFileSync(key, 'utf8').trim().replaceAll('\n', '\r\n'));
    await takes(key, () => readFileSync(`${key}.pub`, 'utf8'));
  });

  async function takes(keyPath: string, publicKey: () => string): Promise<void> {
    const file = directory.file('authorized_made');
    writeFileSync(file, publicKey());
    const { port, close } = await directory.start([`AuthorizedKeysFile ${file}`]);
    await connect(port, { keyPath });
    await close();
  }

  /** As ssh-keygen derives it, which not every version can for every kind of key in PKCS #8. */
  function publicKeyFrom(key: string): string {
    const pem = execFileSync('openssl', ['pkey', '-in', key, '-pubout'], { encoding: 'utf8' });
    if (!pem.includes('MCowBQYDK2Vw')) {
      writeFileSync(`${key}.pem`, pem);
      return execFileSync('ssh-keygen', ['-i', '-m', 'PKCS8', '-f', `${key}.pem`], { encoding: 'utf8' });
    }
    const raw = Buffer.from(pem.split('\n')[1]!, 'base64').subarray(-32);
    const parts = [Buffer.from('ssh-ed25519'), raw].flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    });
    return `ssh-ed25519 ${Buffer.concat(parts).toString('base64')}\n`;
  }
}
