import ssh2 from 'ssh2';
import { expect, test } from 'vitest';
import { knownHostLine, makeKeyPair } from '../../src/testbed/keys.ts';

test('every pair can be read, and its halves belong together', () => {
  // Enough pairs that ssh2's generator alone would fail with near certainty.
  for (let count = 0; count < 2000; count += 1) {
    const { privateKey, publicKey } = makeKeyPair();
    const [secret, open] = [privateKey, publicKey].map((key) => ssh2.utils.parseKey(key));
    if (secret instanceof Error || open instanceof Error) throw new Error(`cannot read ${publicKey}`);
    expect(secret!.getPublicSSH()).toEqual(open!.getPublicSSH());
  }
});

test('a line of known_hosts names host, port and key', () => {
  const key = { privateKey: '', publicKey: 'ssh-ed25519 AAAA' };
  expect(knownHostLine(2022, key)).toBe('[127.0.0.1]:2022 ssh-ed25519 AAAA\n');
});
