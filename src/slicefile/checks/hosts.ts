import { isIPv6 } from 'node:net';
import type { Draft, DraftNode } from '../draft.ts';
import { atKey, atValue, type Problem } from '../fault.ts';
import { quote } from '../words.ts';
import { repeats } from './references.ts';

/**
 * Checks that each host is only one node. Two nodes on a host would share its network stack: a tunnel between them
 * would have both ends there, and each would treat objects of the other as its own leftovers.
 */
export function checkHosts({ nodes }: Draft): Problem[] {
  const placed = nodes.entries.filter(({ host }) => host !== undefined);
  const sameServer = repeats(placed, ({ host, port }) => JSON.stringify([canonicalHost(host!.name), port]));
  const isNamed = new Set(sameServer.map(({ item }) => item));
  const sameAddress = repeats(placed, ({ host, address }) => canonicalHost((address ?? host)!.name));
  return [
    ...sameServer.map(({ item, first }) => atValue(item.host!.path, ...sameHost(first, item))),
    ...sameAddress
      .filter(({ item }) => !isNamed.has(item))
      .map(({ item, first }) =>
        item.address === undefined
          ? atKey([...item.path, 'host'], `${pair(first, item)} have the same address`, addressHint)
          : atValue(item.address.path, `${pair(first, item)} have the same address`, 'give each node its own address'),
      ),
  ];
}

const addressHint =
  "tunnel packets go to an address, not to an SSH port: give each node behind this host its own 'address', or list the host once";

function sameHost(first: DraftNode, item: DraftNode): [message: string, hint: string] {
  const spelled =
    first.host!.name === item.host!.name ? '' : `, ${quote(first.host!.name)} and ${quote(item.host!.name)}`;
  return [
    `${pair(first, item)} are the same host${spelled}`,
    `list each host once: for a router use ${quote(first.name)} instead of ${quote(item.name)}, for a gateway or an end host use another host`,
  ];
}

function pair(first: DraftNode, item: DraftNode): string {
  return `nodes ${quote(first.name)} and ${quote(item.name)}`;
}

/** Returns the same text for all spellings of a host, as far as possible without a name server. */
export function canonicalHost(host: string): string {
  const name = host.toLowerCase();
  if (name === 'localhost') return '127.0.0.1';
  // An address with a zone is a different host on each link.
  if (!isIPv6(name) || name.includes('%')) return name;
  const address = new URL(`http://[${name}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(address);
  if (mapped === null) return address === '::1' ? '127.0.0.1' : address;
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
