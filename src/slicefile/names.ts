import { isIP } from 'node:net';
import { dottedQuad, endsInNumber, parseAddress } from '../model/address.ts';
import { VnmError } from '../model/errors.ts';
import { parseNtpServer } from '../model/ntp-server.ts';
import { type JumpHost, splitJumpHost } from '../model/ssh-way.ts';
import { quote } from './words.ts';

/** The rule for a kind of name, for the schema and for messages. */
export interface NameRule {
  readonly noun: string;
  readonly pattern: RegExp;
  readonly rule: string;
}

const lowerCase = {
  pattern: /^[a-z0-9][a-z0-9-]{0,31}$/,
  rule: '1 to 32 of a-z, 0-9 and -, not beginning with -; it becomes part of names on the nodes',
};
const anyCase = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/,
  rule: '1 to 32 of A-Z, a-z, 0-9, _ and -, beginning with a letter or digit',
};

export const sliceName: NameRule = { noun: 'slice name', ...lowerCase };
export const nodeName: NameRule = { noun: 'node name', ...lowerCase };
export const routerName: NameRule = { noun: 'router name', ...lowerCase };
export const vnName: NameRule = { noun: 'VN name', ...anyCase };
export const gatewayName: NameRule = { noun: 'gateway name', ...anyCase };
export const endHostName: NameRule = { noun: 'end host name', ...anyCase };
export const placementName: NameRule = { noun: 'placement name', ...anyCase };

/** Returns a name unchanged. Throws VnmError `invalid-input` if it breaks the rule. */
export function parseName(text: string, { noun, pattern, rule }: NameRule): string {
  if (pattern.test(text)) return text;
  const lower = text.toLowerCase();
  const hint = pattern.test(lower) ? `write ${quote(lower)}; ${rule}` : rule;
  throw new VnmError('invalid-input', `${quote(text)} is not a ${noun}`, { hint });
}

/** Returns a host name, IPv4 or IPv6 address unchanged. Throws VnmError `invalid-input`. */
export function parseHost(text: string): string {
  const isName =
    text.length <= 253 &&
    text.split('.').every((label) => /^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/.test(label));
  if (isIP(text) !== 0 || (isName && !endsInNumber(text))) return text;
  const address = dottedQuad(text);
  throw new VnmError('invalid-input', `${quote(text)} is neither a host name nor an IP address`, {
    hint:
      address === undefined
        ? "write it like node1.example.org or 192.0.2.7; give the login and the port as 'user' and 'port'"
        : `it is another notation of an address: write ${address}`,
  });
}

/** Returns an IPv4 address unchanged. Throws VnmError `invalid-input`. */
export function parseAddressText(text: string): string {
  parseAddress(text);
  return text;
}

/** Returns `host` or `host:port` unchanged. Throws VnmError `invalid-input`. */
export function parseNtpServerText(text: string): string {
  parseNtpServer(text);
  return text;
}

/** Returns a login name unchanged. Throws VnmError `invalid-input`. */
export function parseUser(text: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}$/.test(text)) return text;
  throw new VnmError('invalid-input', `${quote(text)} is not a login name`, {
    hint: '1 to 64 of A-Z, a-z, 0-9 and ._@-, beginning with a letter, a digit or _',
  });
}

/** Parses `[user@]host[:port]`. Throws VnmError `invalid-input`. */
export function parseJumpHost(text: string): JumpHost {
  const parts = splitJumpHost(text);
  if (parts === undefined) {
    throw new VnmError('invalid-input', `${quote(text)} is not a jump host`, {
      hint: 'write it like me@bastion.example.org:22, an IPv6 address with a port like "me@[2001:db8::1]:22"',
    });
  }
  parseHost(parts.host);
  if (parts.user !== undefined) parseUser(parts.user);
  return parts;
}
