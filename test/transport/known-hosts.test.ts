import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { addHostKey, readKnownHosts, verifyHostKey } from '../../src/transport/known-hosts.ts';
import {
  checkHostKey,
  fingerprint,
  parseKnownHosts,
  preferredAlgorithms,
} from '../../src/transport/known-hosts-format.ts';
import { makeKeyPair, publicKeyOf } from '../support/ssh-server.ts';

const pair = makeKeyPair();
const key = publicKeyOf(pair);
const line = pair.public.trim();
const other = makeKeyPair();
const ecdsa = makeKeyPair('ecdsa');

const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-known-hosts-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const hashed = (name: string, salt = Buffer.alloc(20, 7)) =>
  `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
const check = (text: string, host: string, port = 22, shown = key) =>
  checkHostKey(parseKnownHosts(text, 'FILE'), host, port, shown);

describe('lines for a host', () => {
  it.each([
    ['a plain name', 'node.example', 'node.example', 22, true],
    ['capitals', 'Node.Example', 'nOdE.example', 22, true],
    ['another name', 'node.example', 'node.example.org', 22, false],
    ['a dot is a dot', 'node.example', 'nodexexample', 22, false],
    ['a comma list', 'a.example,192.0.2.7', '192.0.2.7', 22, true],
    ['a port', '[node.example]:2222', 'node.example', 2222, true],
    ['another port', '[node.example]:2222', 'node.example', 2223, false],
    ['a port, not the usual one', '[node.example]:2222', 'node.example', 22, false],
    ['the usual port stands for the others, as in OpenSSH', 'node.example', 'node.example', 2222, true],
    ['an IPv6 address', '2001:db8::1', '2001:DB8::1', 22, true],
    ['a star', '*.example', 'deep.node.example', 22, true],
    ['a question mark', 'node?', 'node7', 22, true],
    ['a question mark is one character', 'node?', 'node', 22, false],
    ['negation', '*.example,!bad.example', 'bad.example', 22, false],
    ['negation of another', '*.example,!bad.example', 'good.example', 22, true],
    ['negation alone', '!bad.example', 'good.example', 22, false],
    ['a hash', hashed('node.example'), 'NODE.example', 22, true],
    ['a hash of another name', hashed('node.example'), 'other.example', 22, false],
    ['a hash with a port', hashed('[node.example]:2222'), 'node.example', 2222, true],
    ['a hash of an unknown kind', hashed('node.example').replace('|1|', '|2|'), 'node.example', 22, false],
  ])('a line is matched by the rules of OpenSSH: %s', (_what, hosts, host, port, matches) => {
    expect(check(`${hosts} ${line}\n`, host, port).status).toBe(matches ? 'known' : 'unknown');
  });

  it('comments, empty and damaged lines, and certificate authorities are skipped', () => {
    const text = [
      '# a comment',
      '',
      `#node.example ${line}`,
      'node.example ssh-ed25519',
      'node.example ssh-ed25519 AAAA',
      `node.example ssh-rsa ${line.split(' ')[1]}`,
      `@cert-authority node.example ${line}`,
      `@unheard-of node.example ${line}`,
    ].join('\n');
    expect(parseKnownHosts(text, 'FILE')).toEqual([]);
    expect(check(text, 'node.example')).toEqual({ status: 'unknown' });
  });

  it('leading blanks, tabs, comments after the key and carriage returns are accepted', () => {
    expect(parseKnownHosts(`\n  node.example\t${line} me@home\r\n`, 'FILE')).toEqual([
      { file: 'FILE', line: 2, revoked: false, hosts: 'node.example', keyType: 'ssh-ed25519', key },
    ]);
  });
});

describe('the verdict', () => {
  it('the verdict says where the other key is', () => {
    const text = `elsewhere ${line}\nnode ${other.public}`;
    expect(check(text, 'node')).toEqual({ status: 'changed', file: 'FILE', line: 2 });
  });

  it('any of several keys is trusted', () => {
    expect(check(`node ${other.public}\nnode ${line}\n`, 'node')).toEqual({ status: 'known' });
  });

  it('a key of another type counts as a change: otherwise an attacker would only need to offer one', () => {
    expect(check(`node ${ecdsa.public}`, 'node')).toEqual({ status: 'changed', file: 'FILE', line: 1 });
  });

  it('another key of the host without a port does not count as a change', () => {
    expect(check(`node ${other.public}`, 'node', 2222)).toEqual({ status: 'unknown' });
  });

  it('a revoked key is refused, wherever else it is trusted', () => {
    const text = `node ${line}\n@revoked * ${line}\n`;
    expect(check(text, 'node')).toEqual({ status: 'revoked', file: 'FILE', line: 2 });
    expect(check(text, 'node', 2222)).toEqual({ status: 'revoked', file: 'FILE', line: 2 });
    expect(check(`@revoked * ${other.public}\n`, 'node')).toEqual({ status: 'unknown' });
  });
});

describe('the order of host key algorithms', () => {
  const order = (text: string) => preferredAlgorithms(parseKnownHosts(text, 'FILE'), 'node', 22);

  it('the host key algorithms begin with the known types', () => {
    expect(order('')).toEqual([
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
      'rsa-sha2-512',
      'rsa-sha2-256',
    ]);
    expect(order(`node ${ecdsa.public}`).slice(0, 2)).toEqual(['ecdsa-sha2-nistp256', 'ssh-ed25519']);
    expect(order(`elsewhere ${ecdsa.public}\n@revoked node ${ecdsa.public}`)[0]).toBe('ssh-ed25519');
  });

  it('one RSA key serves two algorithms', () => {
    const rsa = Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from('ssh-rsa'), Buffer.alloc(8)]).toString('base64');
    expect(order(`node ssh-rsa ${rsa}`).slice(0, 3)).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-ed25519']);
  });
});

describe('files', () => {
  it('known_hosts files are read in order, missing ones as empty', () => {
    const [first, second] = [join(directory, 'first'), join(directory, 'second')];
    writeFileSync(first, `a ${line}\n`);
    writeFileSync(second, `b ${other.public}\n`);
    const files = [join(directory, 'missing'), first, second];
    expect(readKnownHosts(files).map(({ file, hosts }) => ({ file, hosts }))).toEqual([
      { file: first, hosts: 'a' },
      { file: second, hosts: 'b' },
    ]);
    expect(verifyHostKey(files, 'b', 22, key)).toEqual({ status: 'changed', file: second, line: 1 });
  });

  it('a new known_hosts file is private, and an incomplete last line is ended', () => {
    const file = join(directory, 'new', 'known_hosts');
    addHostKey(file, 'Node', 2222, key);
    expect(readFileSync(file, 'utf8')).toBe(`[node]:2222 ${line.split(' ').slice(0, 2).join(' ')}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'new')).mode & 0o777).toBe(0o700);
    writeFileSync(file, '# no newline');
    addHostKey(file, 'node', 22, key);
    expect(readFileSync(file, 'utf8')).toBe(`# no newline\nnode ${line.split(' ').slice(0, 2).join(' ')}\n`);
  });
});

it('hashes and fingerprints agree with ssh-keygen', (context) => {
  const file = join(directory, 'hashed');
  writeFileSync(file, `node.example,192.0.2.7 ${line}\n[node.example]:2222 ${other.public}`);
  try {
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || process.env.CI === 'true') throw error;
    return context.skip('ssh-keygen is not installed');
  }
  expect(readFileSync(file, 'utf8')).not.toContain('node.example');
  for (const [host, port, shown] of [
    ['node.example', 22, key],
    ['192.0.2.7', 22, key],
    ['node.example', 2222, publicKeyOf(other)],
  ] as const) {
    expect(verifyHostKey([file], host, port, shown)).toEqual({ status: 'known' });
  }
  expect(verifyHostKey([file], 'other.example', 22, key)).toEqual({ status: 'unknown' });
  const printed = execFileSync('ssh-keygen', ['-l', '-f', '-'], { input: `${line}\n` }).toString();
  expect(printed.split(' ')[1]).toBe(fingerprint(key));
});
