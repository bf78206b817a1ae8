import { describe, expect, it } from 'vitest';
import { parseOwnAddresses } from '../../src/agent/dataplane/kernel/own-addresses.ts';
import type { AddressJson, LinkJson } from '../../src/agent/dataplane/kernel/parse.ts';
import { checkTimeServer } from '../../src/agent/time-servers.ts';
import { parsePrefix } from '../../src/model/address.ts';
import { testPolicy } from '../support/agent-node.ts';

const link = (ifname: string, ...addr_info: AddressJson[]): LinkJson => ({
  ifindex: 1,
  ifname,
  flags: [],
  mtu: 1500,
  addr_info,
});
const others = [{ slice: 'other', vnet: parsePrefix('10.66.0.0/16'), file: '/etc/pl-vnm/policy/other.json' }];
const own = parseOwnAddresses(
  [
    link(
      'eth0',
      { family: 'inet', local: '192.0.2.7', prefixlen: 24 },
      { family: 'inet6', local: '2001:db8::7', prefixlen: 64 },
    ),
    link('ptp0', { family: 'inet', local: '198.51.100.0', prefixlen: 31 }),
    link('eth1', { family: 'inet', local: '10.9.0.1', prefixlen: 24, broadcast: '10.9.0.77' }),
  ],
  [{ type: '2', dst: '203.0.113.128/26', dev: 'lo', protocol: '2' }],
);
const check = (address: string, server = 'ntp.example.org') =>
  checkTimeServer(testPolicy('pv-'), { own, others }, server, address);

describe('checkTimeServer', () => {
  it.each(['192.0.2.8', '198.51.100.1', '10.64.0.1', '203.0.113.255'])('checkTimeServer allows %s', (address) => {
    expect(() => check(address)).not.toThrow();
  });

  it.each([
    ['an address of the slice', '10.65.0.1'],
    ['an address of another slice', '10.66.255.1'],
    ['loopback', '127.0.1.1'],
    ['link-local', '169.254.169.123'],
    ['unspecified', '0.0.0.0'],
    ['multicast', '224.0.1.1'],
    ['broadcast', '255.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['an address of the node', '192.0.2.7'],
    ['broadcast of a network of the node', '192.0.2.255'],
    ['a network of the node', '192.0.2.0'],
    ['a custom broadcast address', '10.9.0.77'],
    ['what the node delivers to itself', '203.0.113.130'],
  ])('checkTimeServer refuses %s, and names the server', (_, address) => {
    const refusal = expect.objectContaining({
      code: 'forbidden',
      message: expect.stringContaining(`NTP server ntp.example.org (${address})`),
    });
    expect(() => check(address)).toThrow(refusal);
  });
});
