import { isIPv4 } from 'node:net';
import { VnmError } from './errors.ts';

export interface NtpServer {
  /** Host name or IPv4 address. */
  readonly host: string;
  readonly port: number;
}

const label = '[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?';

/** The form of `host` or `host:port`. */
export const ntpServerPattern = new RegExp(`^(${label}(?:\\.${label})*)(?::([1-9][0-9]{0,4}))?$`);

/** What a slice may name, and an agent asks at once. */
export const maxNtpServers = 8;

/** Reads `host` or `host:port`; the port is 123 unless the text says otherwise. Throws VnmError `invalid-input`. */
export function parseNtpServer(text: string): NtpServer {
  const [, host = '', port = '123'] = ntpServerPattern.exec(text) ?? [];
  // The resolver would make some address of `192.0.2`.
  const isName = host !== '' && host.length <= 253 && !/^[\d.]+$/.test(host);
  if ((isName || isIPv4(host)) && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new VnmError('invalid-input', `'${text}' is not an NTP server`, {
    hint: 'write it like ntp1.example.org or 192.0.2.7:123 (no IPv6)',
  });
}
