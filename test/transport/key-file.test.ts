import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseKeyFile } from '../../src/transport/key-file.ts';
import { makeKeyPair } from '../support/ssh-server.ts';

describe('parseKeyFile', () => {
  it('a public key is reported, with a hint at the private one', () => {
    expect(parseKeyFile(makeKeyPair().public)).toEqual({
      fault: 'is a public key',
      hint: 'give the file of the private key, whose name does not end in .pub',
    });
  });

  it('an encrypted key is recognised in each format', () => {
    const encrypted = { cipher: 'aes-256-cbc', passphrase: 'secret' };
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = (type: 'pkcs8' | 'sec1') => privateKey.export({ type, format: 'pem', ...encrypted }).toString();
    const openssh = makeKeyPair('ed25519', { passphrase: 'secret', cipher: 'aes256-ctr', rounds: 1 }).private;
    for (const text of [pem('pkcs8'), pem('sec1'), openssh])
      expect(parseKeyFile(text)).toEqual({ fault: 'is encrypted' });
  });

  it('a key of a FIDO token is recognised', () => {
    const body = Buffer.from('openssh-key-v1\0....sk-ssh-ed25519@openssh.com....').toString('base64');
    expect(parseKeyFile(`-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`)).toEqual({
      fault: 'is a FIDO key, which only its token can use',
      hint: "let the program ssh log in ('ssh: { transport: openssh }' in the slice file), or give another key that the node accepts",
    });
  });

  it.each(['', 'not a key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'])(
    '%j is not a key',
    (text) => {
      expect(parseKeyFile(text)).toEqual({ fault: 'is not a private key' });
    },
  );
});
