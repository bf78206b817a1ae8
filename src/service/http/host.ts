/** Host names as they appear in Host headers and URLs. Pure. */
import { isIPv4, isIPv6 } from 'node:net';

export interface HostAndPort {
  /** In lower case, without brackets. */
  readonly host: string;
  /** Undefined if none was given. */
  readonly port: number | undefined;
}

const pattern = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?))(?::([0-9]{1,5}))?$/;

/** Parses `name`, `192.0.2.1` or `[2001:db8::1]`, each with or without `:port`. Returns undefined for anything else. */
export function parseHostAndPort(text: string): HostAndPort | undefined {
  const match = pattern.exec(text.toLowerCase());
  if (match === null) return undefined;
  const [, bracketed, name, , port] = match;
  if (bracketed !== undefined && !isIPv6(bracketed)) return undefined;
  return { host: (bracketed ?? name)!, port: port === undefined ? undefined : Number(port) };
}

/** Whether only this machine can reach the host. The only such name is `localhost`: others may resolve to anything. */
export function isLoopback(host: string): boolean {
  const lower = host.toLowerCase();
  return lower === 'localhost' || lower === '::1' || (isIPv4(lower) && lower.startsWith('127.'));
}

/** Whether the host stands for all addresses of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Formats a host for a URL. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
