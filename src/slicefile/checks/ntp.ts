import { isIPv4 } from 'node:net';
import { containsAddress, formatPrefix, parseAddress } from '../../model/address.ts';
import { ntpServerPattern, unfitForServer } from '../../model/ntp-server.ts';
import type { Draft } from '../draft.ts';
import { atValue, type Problem } from '../fault.ts';
import { quote } from '../words.ts';
import { repeats } from './references.ts';

/** Checks that each NTP server is listed once, and is the same host from every node. */
export function checkNtp(draft: Draft): Problem[] {
  return [...checkRepeats(draft), ...checkAddresses(draft)];
}

function checkRepeats({ ntp }: Draft): Problem[] {
  return repeats(ntp.entries, ({ name }) => keyOf(name)).map(({ item, first }) =>
    atValue(
      item.path,
      `NTP server ${quote(item.name)} is listed twice`,
      item.name === first.name ? 'list each server once' : `it is the same as ${quote(first.name)}`,
    ),
  );
}

function checkAddresses({ ntp, vnet }: Draft): Problem[] {
  return ntp.entries.flatMap(({ name, path }) => {
    const [, host = ''] = ntpServerPattern.exec(name) ?? [];
    const fault = (what: string) => atValue(path, `NTP server ${quote(name)} is ${what}`, serverHint);
    if (/^(.*\.)?localhost$/i.test(host)) return [fault('the name of each machine itself')];
    if (!isIPv4(host)) return [];
    const address = parseAddress(host);
    const kind = unfitForServer(address);
    if (kind !== undefined) return [fault(`${kind} address`)];
    return vnet !== undefined && containsAddress(vnet, address) ? [fault(`inside vnet ${formatPrefix(vnet)}`)] : [];
  });
}

const serverHint = 'the controller and the nodes must reach the same server: ntp1.example.org or 192.0.2.7:123';

/** `host:port` in lower case; undefined for an invalid server, which is already a fault. */
function keyOf(text: string): string | undefined {
  const [, host, port = '123'] = ntpServerPattern.exec(text) ?? [];
  return host === undefined ? undefined : `${host.toLowerCase()}:${port}`;
}
