import { describe, expect, it } from 'vitest';
import { canonicalName } from '../../src/model/address.ts';
import { endpointText, splitJumpHost } from '../../src/model/ssh-way.ts';

describe('canonicalName', () => {
  it.each([
    ['Node1.Example.ORG', 'node1.example.org'],
    ['192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0::01', '2001:db8::1'],
    ['0:0::1', '::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::FFFF:c000:0201', '::ffff:192.0.2.1'],
    ['FE80:0::1%Eth0', 'fe80::1%Eth0'],
  ])('canonicalName writes %s as %s', (host, name) => {
    expect(canonicalName(host)).toBe(name);
  });
});

describe('splitJumpHost', () => {
  it.each([
    ['bastion', { host: 'bastion' }],
    ['me@bastion:2222', { host: 'bastion', user: 'me', port: 2222 }],
    ['ssh://me@bastion:2222', { host: 'bastion', user: 'me', port: 2222 }],
    ['me@example.org@bastion', { host: 'bastion', user: 'me@example.org' }],
    ['[2001:db8::1]:22', { host: '2001:db8::1', port: 22 }],
    ['me@[fe80::1%eth0]', { host: 'fe80::1%eth0', user: 'me' }],
    ['me@2001:db8::1', { host: '2001:db8::1', user: 'me' }],
  ])('splitJumpHost splits %s', (text, parts) => {
    expect(splitJumpHost(text)).toEqual(parts);
  });

  it.each(['', '@bastion', 'me@', 'bastion:', 'bastion:0', 'bastion:65536', 'a b', 'a:b@c', '[::1'])(
    'splitJumpHost refuses %j',
    (text) => {
      expect(splitJumpHost(text)).toBeUndefined();
    },
  );

  it('endpointText puts IPv6 addresses in brackets', () => {
    expect([endpointText('n1', 22), endpointText('192.0.2.1', 22), endpointText('::1', 22)]).toEqual([
      'n1:22',
      '192.0.2.1:22',
      '[::1]:22',
    ]);
  });
});
