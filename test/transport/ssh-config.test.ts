/** The program `ssh` says what a configuration means; a program in its place counts how often it is asked. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { commandPath } from '../../src/model/command-path.ts';
import { VnmError } from '../../src/model/errors.ts';
import { parseSettings, sshSettings } from '../../src/transport/ssh-config.ts';
import { describeRoute, routeTo } from '../../src/transport/ssh-route.ts';
import type { SshTarget } from '../../src/transport/ssh-types.ts';

const hasSsh = commandPath('ssh') !== undefined;
if (!hasSsh && process.env.CI === 'true') throw new Error('ssh is not installed, and in CI nothing is skipped');

describe.skipIf(!hasSsh)('the SSH configuration of the user', () => {
  let directory: string;
  let config: string;
  let calls: string;
  const path = process.env.PATH;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-config-'));
    config = join(directory, 'config');
    calls = join(directory, 'calls');
    writeFileSync(join(directory, 'ssh'), `#!/bin/sh\necho "$@" >>'${calls}'\nexec ${commandPath('ssh')} "$@"\n`);
    chmodSync(join(directory, 'ssh'), 0o755);
    process.env.PATH = `${directory}:${path}`;
    writeFileSync(
      config,
      `# As a testbed hands it out
Host bastion
  HostName bastion.example.org
  User me_0001
  IdentityFile ~/keys/bastion
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no

Host outer
  User first
  ProxyJump ssh://once@first.example.org:2200

Host inner
  ProxyJump outer

Host deep
  HostName 10.9.8.7
  ProxyJump me@inner:2222,[2001:db8::2]:2200

Host six
  HostName 2001:DB8:0:0::6
  Port 2222
  User ubuntu
  IdentityFile %d/.ssh/%h
  IdentityFile ~/second
  IdentitiesOnly yes
  IdentityAgent none
  CertificateFile ~/cert
  HostKeyAlias the-six
  AddressFamily inet6
  UserKnownHostsFile ~/with/known "/other place/known"
Match host 2001:db8:*,six user ubuntu
  ProxyJump bastion

Host command
  ProxyCommand nc %h %p
Host loop-a
  ProxyJump loop-b
Host loop-b
  ProxyJump loop-a
Host self
  User ${userInfo().username}
`,
    );
  });
  afterEach(() => rmSync(calls, { force: true }));
  afterAll(() => {
    process.env.PATH = path;
    rmSync(directory, { recursive: true });
  });
  const target = (host: string, more: Partial<SshTarget> = {}): SshTarget => ({
    ...{ node: 'n1', host },
    ...more,
    ssh: { config, ...more.ssh },
  });
  async function failure(promise: Promise<unknown>): Promise<Pick<VnmError, 'code' | 'message' | 'hint'>> {
    const error = await promise.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(VnmError);
    const { code, message, hint } = error as VnmError;
    return { code, message, hint };
  }

  it('a route has what Host and Match blocks say about the host', async () => {
    const { end, jumps, transport } = await routeTo(target('six'));
    expect(transport).toBe('ssh2');
    expect(end).toMatchObject({
      ...{ node: 'n1', name: 'six', host: '2001:db8::6', port: 2222, user: 'ubuntu', family: 6 },
      keys: {
        files: [join(homedir(), '.ssh', '2001:db8::6'), join(homedir(), 'second')],
        ...{ onlyFiles: true, agent: null, certificates: [join(homedir(), 'cert')] },
      },
      knownHosts: { alias: 'the-six', addTo: join(userInfo().homedir, 'with/known') },
    });
    expect(end.knownHosts.files.slice(0, 2)).toEqual([join(userInfo().homedir, 'with/known'), '/other place/known']);
    expect(jumps).toMatchObject([
      {
        ...{ what: "jump host 'bastion'", host: 'bastion.example.org', port: 22, user: 'me_0001' },
        keys: { files: [join(homedir(), 'keys/bastion')] },
      },
    ]);
  });

  it('keys of the slice file win over the configuration', async () => {
    const { end, jumps } = await routeTo(
      target('six', { user: 'root', port: 22, keyPath: '~/mine', ssh: { jump: [{ host: 'bastion', key: '~/b' }] } }),
    );
    expect(end).toMatchObject({ user: 'root', port: 22, keys: { files: ['~/mine'], isGiven: true } });
    expect(jumps).toMatchObject([{ user: 'me_0001', keys: { files: ['~/b'], isGiven: true } }]);
    expect((await routeTo(target('six', { ssh: { jump: [] } }))).jumps).toEqual([]);
  });

  it('config none asks no program and reads nothing', async () => {
    const route = await describeRoute(target('six', { ssh: { config: 'none' } }));
    expect(route).toEqual({ transport: 'ssh2', user: 'root', host: 'six', port: 22, jumps: [] });
    expect(() => readFileSync(calls)).toThrow('ENOENT');
  });

  it('each host is asked about once, as an argument and not an option', async () => {
    const hosts = ['once-a', 'once-b', '-Fnone'];
    const ask = (host: string) => sshSettings({ host, config, user: 'me', defaultUser: 'root' }).catch(() => undefined);
    await Promise.all([...hosts, ...hosts].map(ask));
    await ask('once-a');
    const asked = readFileSync(calls, 'utf8').trim().split('\n').toSorted();
    expect(asked).toEqual(hosts.map((host) => `-G -T -F ${config} -l me -- ${host}`).toSorted());
    expect(await failure(sshSettings({ host: '-Fnone', config, user: 'me', defaultUser: 'root' }))).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining("the SSH configuration for '-Fnone' cannot be read (ssh -G): hostname contains"),
    });
  });

  it('the first jump host is reached as its own configuration says, as with ssh', async () => {
    expect((await describeRoute(target('deep'))).jumps).toEqual([
      'once@first.example.org:2200',
      'first@outer:22',
      'me@inner:2222',
      `${userInfo().username}@[2001:db8::2]:2200`,
    ]);
  });

  it('jump hosts that lead in a circle are refused', async () => {
    expect(await failure(routeTo(target('loop-a')))).toEqual({
      code: 'unreachable',
      message: expect.stringMatching(/^node 'n1': its jump hosts lead in a circle, through 'loop-[ab]'$/),
      hint: "correct ProxyJump in the SSH configuration, or 'jump' in the slice file",
    });
  });

  it('the user is root unless the configuration names one, be it the local user', async () => {
    expect((await routeTo(target('nowhere'))).end.user).toBe('root');
    expect((await routeTo(target('self'))).end.user).toBe(userInfo().username);
    const userOf = async (host: string) => (await sshSettings({ host, config, defaultUser: 'other' })).user;
    writeFileSync(calls, '');
    expect([await userOf('self'), await userOf('nowhere')]).toEqual([userInfo().username, 'other']);
    // The configuration for that question is where a later process finds what a killed one left.
    const asked = [...readFileSync(calls, 'utf8').matchAll(/-F (\S+\/pl-vnm-ssh-\S+)/g)].map(([, file]) => file!);
    expect(asked).not.toEqual([]);
    for (const file of asked) expect(file).toContain(`/pl-vnm-ssh-${process.pid}-`);
    expect(asked.filter((file) => existsSync(file))).toEqual([]);
  });

  it('where the configuration keeps no host keys, they are kept in a file of our own', async () => {
    process.env.XDG_STATE_HOME = '/state';
    try {
      const { files, addTo } = (await routeTo(target('bastion'))).end.knownHosts;
      expect(addTo).toBe('/state/pl-vnm/known_hosts');
      expect(files).not.toContain('/dev/null');
    } finally {
      delete process.env.XDG_STATE_HOME;
    }
  });

  it('a faulty configuration is reported in the words of ssh', async () => {
    const faulty = join(directory, 'faulty');
    writeFileSync(faulty, 'Host x\n  Foo bar\n');
    expect(await failure(routeTo(target('x', { ssh: { config: faulty } })))).toEqual({
      code: 'unreachable',
      message: `the SSH configuration for 'x' cannot be read (ssh -G): ${faulty}: line 2: Bad configuration option: foo; ${faulty}: terminating, 1 bad configuration options`,
      hint: "repair it, or do without it: 'ssh: { config: none }' in the slice file",
    });
  });

  it('without the program ssh a configuration is not read, and the route says so', async () => {
    process.env.PATH = directory;
    rmSync(join(directory, 'ssh'));
    try {
      const { end } = await routeTo(target('unread'));
      expect(end).toMatchObject({ host: 'unread', unread: `${config} was not read: there is no program 'ssh'` });
      const { end: other } = await routeTo(target('unread', { ssh: { config: join(directory, 'missing') } }));
      expect(other.unread).toBeUndefined();
    } finally {
      process.env.PATH = `${directory}:${path}`;
    }
  });
});

describe('parseSettings', () => {
  const question = { host: 'h', defaultUser: 'root' };

  it('paths with blanks are separated', () => {
    const text = 'userknownhostsfile /a b/known ~/c "/d e/f" none\nglobalknownhostsfile /dev/null\n';
    expect(parseSettings(text, question)).toMatchObject({
      userKnownHosts: ['/a b/known', join(homedir(), 'c'), '/d e/f'],
      globalKnownHosts: [],
    });
  });

  it('the usual keys and files count as none', () => {
    const { homedir: home } = userInfo();
    const text = `identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ed25519_sk\nuserknownhostsfile ${home}/.ssh/known_hosts ${home}/.ssh/known_hosts2\n`;
    const settings = parseSettings(text, question);
    expect(settings.identityFiles).toBeUndefined();
    expect(settings.userKnownHosts).toBeUndefined();
  });

  it('the socket of the agent may be a variable', () => {
    process.env.MY_AGENT = '/run/mine';
    try {
      expect(parseSettings('identityagent $MY_AGENT\n', question).identityAgent).toBe('/run/mine');
      expect(parseSettings('identityagent SSH_AUTH_SOCK\n', question).identityAgent).toBeUndefined();
    } finally {
      delete process.env.MY_AGENT;
    }
  });
});
