/**
 * Finds addresses that cannot belong to another node: the node's own, and the network and broadcast addresses of its
 * networks. Pure.
 */
import { formatPrefix, maskTo, type Prefix, parseAddress, parsePrefix, sizeOf } from '../../../model/address.ts';
import type { OwnAddress } from '../planner/state.ts';
import type { AddressJson, LinkJson, RouteJson } from './parse.ts';

/** The kernel's numbers (rtnetlink.h). */
const localType = '2';
const broadcastType = '3';
/** A network of two addresses has no broadcast address. */
const longestWithBroadcast = 30;

/** Reads the addresses of all interfaces, and the table of what the kernel delivers to the node itself. */
export function parseOwnAddresses(links: readonly LinkJson[], local: readonly RouteJson[]): OwnAddress[] {
  const ofLinks = links.flatMap(({ ifname, addr_info: list = [] }) =>
    list.filter(({ family }) => family === 'inet').flatMap((address) => addressesOf(ifname, address)),
  );
  const ofTable = local.flatMap(({ type, dst, dev = '' }): OwnAddress[] => {
    if (type !== localType && type !== broadcastType) return [];
    const prefix = dst.includes('/') ? parsePrefix(dst) : host(parseAddress(dst));
    return [{ prefix, is: type === localType ? own(dev) : `a broadcast address of this node ('${dev}')` }];
  });
  return [...ofLinks, ...ofTable];
}

function addressesOf(name: string, { local, address = local, prefixlen, broadcast }: AddressJson): OwnAddress[] {
  const network = { base: maskTo(parseAddress(address), prefixlen), length: prefixlen };
  const where = `${formatPrefix(network)} ('${name}')`;
  const last = network.base + sizeOf(network) - 1;
  return [
    { prefix: host(parseAddress(local)), is: own(name), isSource: true },
    ...(prefixlen > longestWithBroadcast
      ? []
      : [
          { prefix: host(network.base), is: `the address of the network ${where} itself` },
          { prefix: host(last), is: `the broadcast address of the network ${where}` },
        ]),
    ...(broadcast === undefined
      ? []
      : [{ prefix: host(parseAddress(broadcast)), is: `the broadcast address of the network ${where}` }]),
  ];
}

function own(interfaceName: string): string {
  return `an address of this node ('${interfaceName}')`;
}

function host(base: number): Prefix {
  return { base, length: 32 };
}
