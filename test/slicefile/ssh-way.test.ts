/** Keys that say how SSH reaches a node. */
import { describe, expect, it } from 'vitest';
import { parseSlice } from '../../src/slicefile/index.ts';
import { changed, faultsOf } from './support/faults.ts';

/** The good file with keys of `ssh` for the slice, and a node n1 with a host. */
function withWays(ofSlice: string, ofNode = ''): string {
  return changed('vnet:', `ssh: ${ofSlice}\nvnet:`).replace('n1: {}', `n1: { host: node1.example.org${ofNode} }`);
}

const wayOf = (text: string, node = 'n1') => parseSlice(text, 'two.yaml').nodes.get(node)!.ssh;

describe('how SSH reaches nodes', () => {
  it('parseSlice gives the keys of the slice to nodes with a host, unless they have their own', () => {
    const ofSlice = '{ config: ~/lab/ssh_config, transport: openssh, jump: [me@bastion:2222] }';
    const jump = [{ host: 'bastion', user: 'me', port: 2222 }];
    expect(wayOf(withWays(ofSlice))).toEqual({ config: '~/lab/ssh_config', transport: 'openssh', jump });
    expect(wayOf(withWays(ofSlice), 'n2')).toBeUndefined();
    const own = ', ssh: { config: none, transport: ssh2, jump: none }';
    expect(wayOf(withWays(ofSlice, own))).toEqual({ config: 'none', jump: [] });
    expect(wayOf(withWays('{ user: me }'))).toBeUndefined();
  });

  it('parseSlice reads jump hosts as text and as maps', () => {
    const text = withWays(
      '{ jump: [bastion, "me@[2001:db8::1]:22", fe80::1%eth0, { host: b2, port: 2222, user: you, key: ~/b }] }',
    );
    expect(wayOf(text)?.jump).toEqual([
      { host: 'bastion' },
      { host: '2001:db8::1', user: 'me', port: 22 },
      { host: 'fe80::1%eth0' },
      { host: 'b2', port: 2222, user: 'you', key: '~/b' },
    ]);
  });

  it('hosts may be IPv6 addresses, with a zone for link-local ones', () => {
    for (const host of ['2001:db8::1', 'fe80::1%eth0']) {
      const text = changed('n1: {}', `n1: { host: ${host}, address: 192.0.2.1 }`);
      expect(parseSlice(text, 'two.yaml').nodes.get('n1')?.host).toBe(host);
    }
  });

  it.each([
    ['{ jump: [me@] }', "'me@' is not a jump host (write it like me@bastion.example.org:22"],
    ['{ jump: [bastion:70000] }', "'bastion:70000' is not a jump host"],
    ['{ jump: ["-oProxyCommand=x"] }', "'-oProxyCommand=x' is neither a host name nor an IP address"],
    ['{ jump: ["a b"] }', "'a b' is not a jump host"],
    ['{ jump: ["-l@bastion"] }', "'-l' is not a login name"],
    ['{ jump: bastion }', "expected a list of jump hosts, or none, found 'bastion'"],
    ['{ jump: [] }', 'ssh.jump'],
    ['{ jump: [{ port: 22 }] }', 'host'],
    ['{ transport: telnet }', "unknown transport 'telnet'"],
    ['{ config: 1 }', 'ssh.config'],
    ['{ jumps: none }', "unknown key 'jumps' (did you mean 'jump'?)"],
  ])('%s is a fault', (ofSlice, message) => {
    expect(faultsOf(withWays(ofSlice))).toEqual([expect.stringContaining(message)]);
    expect(faultsOf(withWays('{}', `, ssh: ${ofSlice}`))).toEqual([expect.stringContaining(message)]);
  });

  it('a node without a host cannot have a way for SSH', () => {
    expect(faultsOf(changed('n1: {}', 'n1: { ssh: { transport: openssh } }'))).toEqual([
      "two.yaml:5:11: node 'n1' has a way for SSH but no host (add its host, or remove 'ssh')",
    ]);
  });

  it('a node without jump hosts is the same host as one that says so', () => {
    const text = changed('n1: {}\n    n2: {}', 'n1: { host: a, ssh: { jump: none } }\n    n2: { host: a }');
    expect(faultsOf(text)).toEqual([expect.stringContaining("nodes 'n1' and 'n2' are the same host")]);
  });

  it('the same host behind different jump hosts is two hosts', () => {
    const nodes = (jump: string) =>
      changed(
        'n1: {}\n    n2: {}',
        `n1: { host: 10.0.0.1, address: 192.0.2.1, ssh: { jump: [a] } }\n    n2: { host: 10.0.0.1, address: 192.0.2.2, ssh: { jump: [${jump}] } }`,
      );
    expect(faultsOf(nodes('b'))).toEqual([]);
    expect(faultsOf(nodes('a'))).toEqual([expect.stringContaining("nodes 'n1' and 'n2' are the same host")]);
  });
});
