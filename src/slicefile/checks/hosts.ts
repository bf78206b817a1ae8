import { canonicalName } from '../../model/address.ts';
import { noWay } from '../../model/ssh-way.ts';
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
  const sameServer = repeats(placed, ({ host, port, jump }) =>
    JSON.stringify([canonicalHost(host!.name), port, jump === noWay ? undefined : jump]),
  );
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
  const name = canonicalName(host);
  if (name === 'localhost' || name === '::1') return '127.0.0.1';
  // An address with a zone is a different host on each link.
  return name.replace(/^::ffff:(?=[\d.]+$)/, '');
}
