/** Two nodes on one host, in all spellings of the host. */
import { describe, expect, it } from 'vitest';
import { canonicalHost } from '../../src/slicefile/checks/hosts.ts';
import { changed, faultsOf, goodFile } from './support/faults.ts';

const nodes = '    n1: {}\n    n2: {}\n    gw1: {}\n    gw2: {}\n    h1: {}\n    h2: {}\n';

/** The good file with these nodes for gw1 and h1. */
function withNodes(gateway: string, host: string): string {
  return changed(nodes, `    n1: {}\n    n2: {}\n    gw2: {}\n    h2: {}\n    gw1: ${gateway}\n    h1: ${host}\n`);
}

const oneHost = (spelled: string) =>
  `nodes 'gw1' and 'h1' are the same host${spelled} (list each host once: for a router use 'gw1' instead of 'h1', for a gateway or an end host use another host)`;

describe('nodes on one host', () => {
  it.each([
    ['the same name', '{ host: a.example.org }', '{ host: a.example.org }', ''],
    ['other case', '{ host: a.example.org }', '{ host: A.Example.org }', ", 'a.example.org' and 'A.Example.org'"],
    ['an explicit default port', '{ host: 192.0.2.1 }', '{ host: 192.0.2.1, port: 22 }', ''],
    ['IPv6', "{ host: '2001:db8::1' }", "{ host: '2001:DB8:0::01' }", ", '2001:db8::1' and '2001:DB8:0::01'"],
    ['IPv4 in IPv6', '{ host: 192.0.2.1 }', "{ host: '::ffff:192.0.2.1' }", ", '192.0.2.1' and '::ffff:192.0.2.1'"],
    ['loopback', '{ host: localhost }', '{ host: 127.0.0.1 }', ", 'localhost' and '127.0.0.1'"],
    [
      'the same server behind two addresses',
      '{ host: a.example.org, address: 192.0.2.1 }',
      '{ host: a.example.org, address: 192.0.2.2 }',
      '',
    ],
  ])('two nodes on one host are a fault: %s', (_name, gateway, host, spelled) => {
    expect(faultsOf(withNodes(gateway, host))).toEqual([expect.stringContaining(oneHost(spelled))]);
  });

  it('two nodes with the same address for tunnel packets are a fault', () => {
    expect(faultsOf(withNodes('{ host: 192.0.2.1, port: 2201 }', '{ host: 192.0.2.1, port: 2202 }'))).toEqual([
      "two.yaml:10:11: nodes 'gw1' and 'h1' have the same address (tunnel packets go to an address, not to an SSH port: give each node behind this host its own 'address', or list the host once)",
    ]);
    expect(faultsOf(withNodes('{ host: a, address: 192.0.2.1 }', '{ host: b, address: 192.0.2.1 }'))).toEqual([
      "two.yaml:10:29: substrate.nodes.h1.address: nodes 'gw1' and 'h1' have the same address (give each node its own address)",
    ]);
    expect(faultsOf(withNodes('{ host: 192.0.2.1 }', '{ host: b, address: 192.0.2.1 }'))).toHaveLength(1);
  });

  it('nodes with different ports and addresses are different hosts', () => {
    const gateway = '{ host: nat.example.org, port: 2201, address: 10.1.0.1 }';
    expect(faultsOf(withNodes(gateway, '{ host: nat.example.org, port: 2202, address: 10.1.0.2 }'))).toEqual([]);
    expect(faultsOf(goodFile)).toEqual([]);
  });

  it('the comparison of hosts uses the default port of the slice', () => {
    const text = withNodes('{ host: nat, address: 10.1.0.1, port: 2201 }', '{ host: nat, address: 10.1.0.2 }');
    expect(faultsOf(text)).toEqual([]);
    const fault = 'are the same host';
    expect(faultsOf(text.replace('substrate:', 'ssh: { port: 2201 }\nsubstrate:'))[0]).toContain(fault);
  });

  it('canonicalHost keeps link-local addresses with different zones apart', () => {
    expect(canonicalHost('fe80::1%eth0')).not.toBe(canonicalHost('fe80::1%eth1'));
  });
});
