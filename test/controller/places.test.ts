import { describe, expect, it } from 'vitest';
import { findAddress } from '../../src/controller/nodes/places.ts';

const place = (host: string, address?: string) => ({
  target: { node: 'n1', slice: 's', host, port: 22, user: 'me' },
  node: { name: 'n1', host, ...(address === undefined ? {} : { address }) },
});

describe('findAddress', () => {
  it('a host with only IPv6 needs an address for tunnels', async () => {
    const { address } = await findAddress(place('::1'));
    expect(address).toMatchObject({
      code: 'unreachable',
      message: "node 'n1': no IPv4 address for '::1'; it has only IPv6, which works for SSH but not for tunnels",
      hint: "give the node an 'address' in the slice file: the IPv4 address where the other nodes reach it",
    });
  });

  it('findAddress uses the tunnel address of the node', async () => {
    expect(await findAddress(place('::1', '192.0.2.7'))).toEqual({ node: 'n1', address: '192.0.2.7' });
  });
});
