import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { VnmError } from './errors.ts';

/** An IPv4 prefix with no host bits set. Only `parsePrefix` and the functions below create one. */
export interface Prefix {
  /** Network address as an unsigned 32-bit integer. */
  readonly base: number;
  /** Prefix length, 0 to 32. */
  readonly length: number;
}

/** Parses `a.b.c.d/n`. Throws VnmError `invalid-input` when it is not an IPv4 prefix or has host bits set. */
export function parsePrefix(text: string): Prefix {
  const slash = text.lastIndexOf('/');
  const usual = /^(?:[1-9]?\d)$/.test(text.slice(slash + 1)) ? usualAddress(text, slash) : undefined;
  const size = Number(text.slice(slash + 1));
  // The usual notation, of which there may be many thousands.
  if (usual !== undefined && size <= 32 && maskTo(usual, size) === usual) return { base: usual, length: size };
  if (!/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/.test(text) || !ipaddr.IPv4.isValidCIDR(text)) {
    throw new VnmError('invalid-input', `'${text}' is not an IPv4 prefix`, { hint: 'write it like 10.65.0.0/16' });
  }
  const [address, length] = ipaddr.IPv4.parseCIDR(text);
  const base = toNumber(address);
  const network = maskTo(base, length);
  if (network !== base) {
    throw new VnmError('invalid-input', `'${text}' has host bits set`, {
      hint: `write ${formatAddress(network)}/${length}`,
    });
  }
  return { base, length };
}

/** Parses `a.b.c.d` to an unsigned 32-bit integer. Throws VnmError `invalid-input`. */
export function parseAddress(text: string): number {
  const usual = usualAddress(text, text.length);
  if (usual !== undefined) return usual;
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) {
    throw new VnmError('invalid-input', `'${text}' is not an IPv4 address`, { hint: 'write it like 10.65.0.1' });
  }
  return toNumber(ipaddr.IPv4.parse(text));
}

/** The address in the first `end` characters, if these are four decimal numbers without leading zeros. */
function usualAddress(text: string, end: number): number | undefined {
  let [address, number, digits, numbers] = [0, 0, 0, 1];
  for (let index = 0; index < end; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 46 && digits > 0) {
      address = address * 256 + number;
      [number, digits] = [0, 0];
      numbers += 1;
    } else if (code >= 48 && code <= 57 && (digits === 0 || number > 0)) {
      number = number * 10 + code - 48;
      digits += 1;
      if (number > 255) return undefined;
    } else return undefined;
  }
  return numbers === 4 && digits > 0 ? address * 256 + number : undefined;
}

/**
 * Whether a resolver may treat a host as an address instead of a name: its last label is a number (decimal, octal or
 * hexadecimal), as in `192.0.2.7`, `10.1`, `0x7f.1` and `167772161`. No top-level domain is a number.
 */
export function endsInNumber(host: string): boolean {
  return /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i.test(host);
}

/**
 * Converts an address in any notation that `inet_aton` accepts (one to four numbers, the last of which fills the
 * remaining bytes) to `a.b.c.d`. Returns undefined for other text, and for `192.0.2`, which probably lacks a number.
 */
export function dottedQuad(host: string): string | undefined {
  const words = host.split('.');
  const numbers = words.map((word) => {
    if (/^0x[0-9a-f]+$/i.test(word)) return Number.parseInt(word, 16);
    if (/^0[0-7]*$/.test(word)) return Number.parseInt(word, 8);
    return /^[1-9]\d*$/.test(word) ? Number(word) : Number.NaN;
  });
  const last = numbers.pop()!;
  const limit = 256 ** (4 - numbers.length);
  if (words.length > 4 || !(last < limit) || !numbers.every((number) => number < 256)) return undefined;
  if (/^\d{1,3}(\.[1-9]\d{0,2}|\.0){1,2}$/.test(host)) return undefined;
  return formatAddress(numbers.reduce((sum, number, index) => sum + number * 256 ** (3 - index), last));
}

export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.base)}/${prefix.length}`;
}

/** The number of addresses in a prefix. */
export function sizeOf(prefix: Prefix): number {
  return 2 ** (32 - prefix.length);
}

/** Whether `outer` contains all of `inner` (or equals it). */
export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  return inner.length >= outer.length && maskTo(inner.base, outer.length) === outer.base;
}

export function containsAddress(prefix: Prefix, address: number): boolean {
  return maskTo(address, prefix.length) === prefix.base;
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return containsPrefix(a, b) || containsPrefix(b, a);
}

/** The smallest prefix length whose prefix holds `count` addresses. */
export function lengthFor(count: number): number {
  return 32 - Math.max(0, Math.ceil(Math.log2(Math.max(1, count))));
}

/** The network address of `address` under a prefix of this length. */
export function maskTo(address: number, length: number): number {
  return length === 0 ? 0 : (address & (0xffffffff << (32 - length))) >>> 0;
}

function toNumber(address: ipaddr.IPv4): number {
  return address.octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

/**
 * Returns a host name in lower case, and an IPv6 address as `getnameinfo` and so OpenSSH write it (RFC 5952), with its
 * zone.
 */
export function canonicalName(host: string): string {
  const [, address = '', zone = ''] = /^([^%]*)(%.*)?$/.exec(host) ?? [];
  if (!isIPv6(address)) return host.toLowerCase();
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return `${short}${zone}`;
  const number = Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16);
  return `::ffff:${formatAddress(number)}${zone}`;
}
