/**
 * The messages of OpenFlow 1.4 (ONF TS-012) that a switch needs: numbers in parentheses are sections of that
 * specification. All integers are big-endian. Pure.
 */
import { parseAddress, parsePrefix } from '../../model/address.ts';
import type { FlowEntry } from '../../model/flow-entry.ts';

/** The number of version 1.4 on the wire (7.1.1). */
const version = 5;
const headerBytes = 8;

/** `ofp_type` (7.1.1). */
export const types = {
  hello: 0,
  error: 1,
  echoRequest: 2,
  echoReply: 3,
  featuresRequest: 5,
  featuresReply: 6,
  flowMod: 14,
  multipartRequest: 18,
  multipartReply: 19,
  barrierRequest: 20,
  barrierReply: 21,
  bundleControl: 33,
  bundleAdd: 34,
} as const;

export interface Message {
  readonly type: number;
  readonly xid: number;
  readonly body: Buffer;
}

export function encode(type: number, xid: number, body: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(headerBytes + body.length);
  bytes.writeUInt8(version, 0);
  bytes.writeUInt8(type, 1);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt32BE(xid, 4);
  bytes.set(body, headerBytes);
  return bytes;
}

/** Returns the whole messages at the beginning, and the bytes after them. */
export function decode(bytes: Buffer): { readonly messages: Message[]; readonly rest: Buffer } {
  const messages: Message[] = [];
  let at = 0;
  while (bytes.length - at >= headerBytes) {
    const length = Math.max(headerBytes, bytes.readUInt16BE(at + 2));
    if (bytes.length - at < length) break;
    const body = bytes.subarray(at + headerBytes, at + length);
    messages.push({ type: bytes.readUInt8(at + 1), xid: bytes.readUInt32BE(at + 4), body });
    at += length;
  }
  return { messages, rest: bytes.subarray(at) };
}

/** A hello that offers this version only (7.5.1). */
export function hello(xid: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16BE(1, 0);
  body.writeUInt16BE(8, 2);
  body.writeUInt32BE(1 << version, 4);
  return encode(types.hello, xid, body);
}

/** OXM fields (7.2.3.7) with their numbers and lengths in bytes. */
const fields = {
  inPort: [0, 4],
  ethDst: [3, 6],
  ethSrc: [4, 6],
  ethType: [5, 2],
  ipv4Src: [11, 4],
  ipv4Dst: [12, 4],
} as const;

function oxm(name: keyof typeof fields, value: number | string, mask?: number): Buffer {
  const [number, length] = fields[name];
  const bytes = Buffer.alloc(4 + (mask === undefined ? 1 : 2) * length);
  bytes.writeUInt16BE(0x8000, 0);
  bytes.writeUInt8((number << 1) | (mask === undefined ? 0 : 1), 2);
  bytes.writeUInt8(bytes.length - 4, 3);
  if (typeof value === 'string') bytes.set(Buffer.from(value.replaceAll(':', ''), 'hex'), 4);
  else bytes.writeUIntBE(value, 4, length);
  if (mask !== undefined) bytes.writeUIntBE(mask, 4 + length, length);
  return bytes;
}

function prefixField(name: 'ipv4Src' | 'ipv4Dst', text: string): Buffer {
  const { base, length } = text.includes('/') ? parsePrefix(text) : { base: parseAddress(text), length: 32 };
  return length === 32 ? oxm(name, base) : oxm(name, base, length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0);
}

/** Adds zeros up to a multiple of 8 bytes. */
function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
}

/** `ofp_match` of type OXM (7.2.3.1): its length is that without the padding. */
function match(...parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(4), ...parts]);
  bytes.writeUInt16BE(1, 0);
  bytes.writeUInt16BE(bytes.length, 2);
  return padded(bytes);
}

/** `ofp_action_set_field` (7.2.5). */
function setField(field: Buffer): Buffer {
  const bytes = padded(Buffer.concat([Buffer.alloc(4), field]));
  bytes.writeUInt16BE(25, 0);
  bytes.writeUInt16BE(bytes.length, 2);
  return bytes;
}

function decrementTtl(): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16BE(24, 0);
  bytes.writeUInt16BE(bytes.length, 2);
  return bytes;
}

function output(port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt32BE(port, 4);
  return bytes;
}

/** `ofp_instruction_actions`, to be done at once (7.2.4). */
function applyActions(...actions: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(8), ...actions]);
  bytes.writeUInt16BE(4, 0);
  bytes.writeUInt16BE(bytes.length, 2);
  return bytes;
}

/** An entry as a switch has it: the bytes of its match, and what tells it from one with another output. */
export interface WireEntry {
  readonly priority: number;
  readonly match: Buffer;
  readonly instructions: Buffer;
  /** Its first half says that it is one of ours, its second half is a digest of the rest. */
  readonly cookie: bigint;
}

/** "pvnm" in ASCII. */
const ours = 0x70766e6dn;
const cookieShift = 32n;
const cookieMask = 0xffffffffn << cookieShift;

/** An entry for a flow goes before those for a destination; of two of these, the longer prefix. */
function priorityOf({ source, in: port, destination }: FlowEntry): number {
  const { length } = destination.includes('/') ? parsePrefix(destination) : { length: 32 };
  return (port === undefined ? 1000 : 3000) + (source === undefined ? 0 : 1000) + length;
}

/** FNV-1a, 32 bits: entries that differ in one byte have different ones. */
function digestOf(...parts: readonly Buffer[]): number {
  let digest = 0x811c9dc5;
  for (const part of parts) for (const byte of part) digest = Math.imul(digest ^ byte, 0x01000193) >>> 0;
  return digest;
}

/** `numberOf`: the number of the port with this interface. */
export function wireEntry(entry: FlowEntry, numberOf: (name: string) => number): WireEntry {
  const { in: port, source, destination, output: way } = entry;
  const matched = match(
    ...(port === undefined ? [] : [oxm('inPort', numberOf(port))]),
    oxm('ethType', 0x0800),
    ...(source === undefined ? [] : [prefixField('ipv4Src', source)]),
    prefixField('ipv4Dst', destination),
  );
  const instructions = applyActions(
    decrementTtl(),
    setField(oxm('ethSrc', way.sender)),
    setField(oxm('ethDst', way.receiver)),
    output(numberOf(way.interface)),
  );
  const priority = priorityOf(entry);
  const cookie = (ours << cookieShift) | BigInt(digestOf(matched, instructions));
  return { priority, match: matched, instructions, cookie };
}

const anyPort = 0xffffffff;

/** `ofp_flow_mod` (7.3.4.1). */
function flowMod(
  xid: number,
  command: number,
  { cookie, mask, priority }: { readonly cookie: bigint; readonly mask: bigint; readonly priority: number },
  matched: Buffer,
  instructions: Buffer,
): Buffer {
  const fixed = Buffer.alloc(40);
  fixed.writeBigUInt64BE(cookie, 0);
  fixed.writeBigUInt64BE(mask, 8);
  fixed.writeUInt8(command, 17);
  fixed.writeUInt16BE(priority, 22);
  // No packet is waiting in a buffer.
  fixed.writeUInt32BE(0xffffffff, 24);
  fixed.writeUInt32BE(anyPort, 28);
  fixed.writeUInt32BE(anyPort, 32);
  return encode(types.flowMod, xid, Buffer.concat([fixed, matched, instructions]));
}

/**
 * Adds an entry, or replaces the one with the same match and priority: each packet takes either the one or the other.
 */
export function addEntry(xid: number, { cookie, priority, match: matched, instructions }: WireEntry): Buffer {
  return flowMod(xid, 0, { cookie, mask: 0n, priority }, matched, instructions);
}

/** Removes exactly this entry (OFPFC_DELETE_STRICT), if its cookie is still the same. */
export function deleteEntry(
  xid: number,
  { cookie, priority, match: matched }: Omit<WireEntry, 'instructions'>,
): Buffer {
  return flowMod(xid, 4, { cookie, mask: 0xffffffffffffffffn, priority }, matched, Buffer.alloc(0));
}

/** Asks for all entries with our cookies (7.3.5.2). */
export function askForEntries(xid: number): Buffer {
  const body = Buffer.alloc(8 + 32);
  body.writeUInt16BE(1, 0);
  // Of all tables.
  body.writeUInt8(0xff, 8);
  body.writeUInt32BE(anyPort, 12);
  body.writeUInt32BE(anyPort, 16);
  body.writeBigUInt64BE(ours << cookieShift, 24);
  body.writeBigUInt64BE(cookieMask, 32);
  return encode(types.multipartRequest, xid, Buffer.concat([body, match()]));
}

/** An answer to `askForEntries`; `more`: whether another one follows. */
export function parseEntries(body: Buffer): {
  readonly entries: Omit<WireEntry, 'instructions'>[];
  readonly more: boolean;
} {
  const entries: Omit<WireEntry, 'instructions'>[] = [];
  for (let at = 8; at + 56 <= body.length; ) {
    const length = body.readUInt16BE(at);
    const matchLength = body.readUInt16BE(at + 48 + 2);
    const matched = body.subarray(at + 48, at + 48 + matchLength);
    entries.push({
      priority: body.readUInt16BE(at + 12),
      cookie: body.readBigUInt64BE(at + 24),
      match: padded(matched),
    });
    at += Math.max(length, 56);
  }
  return { entries, more: (body.readUInt16BE(2) & 1) === 1 };
}

/** `ofp_bundle_ctrl_type` (7.3.9.2): what is asked, each with the answer that follows it. */
const bundleSteps = { open: 0, close: 2, commit: 4 } as const;
/** All of it or nothing, in this order. */
const atomicOrdered = 3;

function bundleControl(xid: number, bundle: number, step: keyof typeof bundleSteps): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32BE(bundle, 0);
  body.writeUInt16BE(bundleSteps[step], 4);
  body.writeUInt16BE(atomicOrdered, 6);
  return encode(types.bundleControl, xid, body);
}

/**
 * Changes that take effect together: a flow-mod alone, or several in an atomic bundle; then a barrier, whose answer
 * comes when they are done. All messages have the number `xid`, so that every error is known to be of this change.
 * `isLast`: whether a message is the last answer.
 */
export function changeOf(xid: number, mods: readonly ((xid: number) => Buffer)[]): Buffer {
  const barrier = encode(types.barrierRequest, xid);
  if (mods.length <= 1) return Buffer.concat([...mods.map((mod) => mod(xid)), barrier]);
  const added = mods.map((mod) => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(xid, 0);
    head.writeUInt16BE(atomicOrdered, 6);
    return encode(types.bundleAdd, xid, Buffer.concat([head, mod(xid)]));
  });
  return Buffer.concat([
    bundleControl(xid, xid, 'open'),
    ...added,
    bundleControl(xid, xid, 'close'),
    bundleControl(xid, xid, 'commit'),
    barrier,
  ]);
}

/** Names of `ofp_error_type` (7.5.4), for messages. */
const errorTypes = [
  'hello failed',
  'bad request',
  'bad action',
  'bad instruction',
  'bad match',
  'flow-mod failed',
  'group-mod failed',
  'port-mod failed',
  'table-mod failed',
  'queue operation failed',
  'switch config failed',
  'role request failed',
  'meter-mod failed',
  'table features failed',
  'bad property',
  'asynchronous config failed',
  'flow monitor failed',
  'bundle failed',
];

/** Says what an error message reports. */
export function errorWords(body: Buffer): string {
  if (body.length < 4) return 'an error without a type';
  const [type, code] = [body.readUInt16BE(0), body.readUInt16BE(2)];
  return `${errorTypes[type] ?? `error of type ${type}`}, code ${code}`;
}
