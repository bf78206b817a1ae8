import { isIPv4 } from 'node:net';
import { containsAddress, dottedQuad, endsInNumber, parsePrefix } from './address.ts';
import { VnmError } from './errors.ts';

export interface NtpServer {
  /** Host name or IPv4 address. */
  readonly host: string;
  readonly port: number;
}

const label = '[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?';

/** Matches `host` or `host:port`. */
export const ntpServerPattern = new RegExp(`^(${label}(?:\\.${label})*)(?::([1-9][0-9]{0,4}))?$`);

/** The most servers that a slice may list, and that an agent queries at once. */
export const maxNtpServers = 8;

/**
 * Parses `host` or `host:port` (default port 123). An address must be four decimal numbers, because a resolver would
 * also accept `10.1` or `0x7f000001` as one. Throws VnmError `invalid-input`.
 */
export function parseNtpServer(text: string): NtpServer {
  const [, host = '', port = '123'] = ntpServerPattern.exec(text) ?? [];
  const isHost = endsInNumber(host) ? isIPv4(host) : host !== '' && host.length <= 253;
  if (isHost && Number(port) <= 65_535) return { host, port: Number(port) };
  const address = dottedQuad(host);
  throw new VnmError('invalid-input', `'${text}' is not an NTP server`, {
    hint:
      address === undefined
        ? 'write it like ntp1.example.org or 192.0.2.7:123 (no IPv6)'
        : `${host} is another notation of an address: write ${address}`,
  });
}

const unfit = [
  { prefix: '0.0.0.0/8', kind: 'an unspecified' },
  { prefix: '127.0.0.0/8', kind: 'a loopback' },
  { prefix: '169.254.0.0/16', kind: 'a link-local' },
  { prefix: '224.0.0.0/4', kind: 'a multicast' },
  { prefix: '255.255.255.255/32', kind: 'a broadcast' },
  { prefix: '240.0.0.0/4', kind: 'a reserved' },
].map(({ prefix, kind }) => ({ prefix: parsePrefix(prefix), kind }));

/** The kind of an address, with its article, if it cannot name a server for several machines; otherwise undefined. */
export function unfitForServer(address: number): string | undefined {
  return unfit.find(({ prefix }) => containsAddress(prefix, address))?.kind;
}
