/**
 * IPv4, UDP and ICMP headers (RFC 791, 768, 792) in a buffer. Offsets and lengths are bytes, addresses unsigned 32-bit
 * integers.
 */

export const ipv4HeaderBytes = 20;
export const udpHeaderBytes = 8;
export const icmpHeaderBytes = 8;

export const protocols = { icmp: 1, udp: 17 } as const;

/** Types of ICMP messages, and codes of "destination unreachable". */
export const icmpTypes = { echoReply: 0, unreachable: 3, echo: 8, timeExceeded: 11 } as const;
export const unreachableCodes = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  prohibited: 13,
} as const;

const dontFragment = 0x4000;
const usualTtl = 64;
const maxPacketBytes = 65_535;
/** First byte of multicast addresses; of the larger ones none is a host's, either (RFC 1112). */
const firstMulticast = 224;

export function headerBytesAt(packet: Buffer, start: number): number {
  return (packet[start]! & 15) * 4;
}

export function readAddress(packet: Buffer, at: number): number {
  return ((packet[at]! << 24) | (packet[at + 1]! << 16) | (packet[at + 2]! << 8) | packet[at + 3]!) >>> 0;
}

export function read16(packet: Buffer, at: number): number {
  return (packet[at]! << 8) | packet[at + 1]!;
}

export const sourceOf = (packet: Buffer, start: number): number => readAddress(packet, start + 12);
export const destinationOf = (packet: Buffer, start: number): number => readAddress(packet, start + 16);
export const ttlOf = (packet: Buffer, start: number): number => packet[start + 8]!;
export const protocolOf = (packet: Buffer, start: number): number => packet[start + 9]!;

/**
 * Total length of the packet that begins at `start`, of which `end - start` bytes are there (more may follow it, as
 * padding); 0 where it is no complete IPv4 packet with a correct header checksum.
 */
export function checkedLength(packet: Buffer, start: number, end: number): number {
  const available = end - start;
  if (available < ipv4HeaderBytes || packet[start]! >> 4 !== 4) return 0;
  const header = headerBytesAt(packet, start);
  const length = read16(packet, start + 2);
  if (header < ipv4HeaderBytes || length < header || length > available) return 0;
  return checksum(packet, start, start + header) === 0 ? length : 0;
}

/** The Internet checksum (RFC 1071) of a range; 0 over a range that holds a correct one. */
export function checksum(packet: Buffer, start: number, end: number): number {
  let sum = 0;
  let at = start;
  for (; at + 1 < end; at += 2) sum += (packet[at]! << 8) | packet[at + 1]!;
  if (at < end) sum += packet[at]! << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/**
 * Decrements the TTL and updates the header checksum as RFC 1624 does: the carry of 0xffff counts too, so that the
 * result is 0 where that of RFC 1141 is 0xffff.
 */
export function decrementTtl(packet: Buffer, start: number): void {
  packet[start + 8]! -= 1;
  const sum = read16(packet, start + 10) + 0x100;
  write16(packet, start + 10, sum >= 0xffff ? sum + 1 : sum);
}

export function mayFragment(packet: Buffer, start: number): boolean {
  return (read16(packet, start + 6) & dontFragment) === 0;
}

/** Whether it is a later fragment of a packet, without the header of what the packet carries. */
function isLaterFragment(packet: Buffer, start: number): boolean {
  return (read16(packet, start + 6) & 0x1fff) !== 0;
}

export function isFragment(packet: Buffer, start: number): boolean {
  return (read16(packet, start + 6) & 0x3fff) !== 0;
}

export interface Ends {
  readonly from: number;
  readonly to: number;
}

/**
 * A new packet with Don't Fragment, its payload still to be written, that begins at `headroom` of its buffer. Throws
 * RangeError for more than a packet can carry.
 */
export function newPacket(headroom: number, protocol: number, { from, to }: Ends, payloadBytes: number): Buffer {
  const length = ipv4HeaderBytes + payloadBytes;
  if (length > maxPacketBytes) throw new RangeError(`a packet of ${length} bytes is too large`);
  const packet = Buffer.allocUnsafe(headroom + length);
  packet[headroom] = 0x45;
  packet[headroom + 1] = 0;
  write16(packet, headroom + 2, length);
  packet.writeUInt32BE(dontFragment, headroom + 4);
  packet[headroom + 8] = usualTtl;
  packet[headroom + 9] = protocol;
  write16(packet, headroom + 10, 0);
  packet.writeUInt32BE(from, headroom + 12);
  packet.writeUInt32BE(to, headroom + 16);
  write16(packet, headroom + 10, checksum(packet, headroom, headroom + ipv4HeaderBytes));
  return packet;
}

/** Writes the low 16 bits of the value. */
export function write16(packet: Buffer, at: number, value: number): void {
  packet[at] = value >> 8;
  packet[at + 1] = value & 255;
}

export interface UdpPorts {
  readonly fromPort: number;
  readonly toPort: number;
}

/** A packet with a UDP datagram, without the optional UDP checksum: the tunnels have one of their own. */
export function udpPacket(headroom: number, ends: Ends, ports: UdpPorts, payload: readonly Buffer[]): Buffer {
  const bytes = payload.reduce((sum, part) => sum + part.length, udpHeaderBytes);
  const packet = newPacket(headroom, protocols.udp, ends, bytes);
  let at = headroom + ipv4HeaderBytes;
  write16(packet, at, ports.fromPort);
  write16(packet, at + 2, ports.toPort);
  write16(packet, at + 4, bytes);
  write16(packet, at + 6, 0);
  at += udpHeaderBytes;
  for (const part of payload) at += part.copy(packet, at);
  return packet;
}

export interface Icmp {
  readonly type: number;
  readonly code: number;
  /** The second four bytes of the header. */
  readonly rest: number;
}

export function icmpPacket(headroom: number, ends: Ends, { type, code, rest }: Icmp, body: Buffer): Buffer {
  const packet = newPacket(headroom, protocols.icmp, ends, icmpHeaderBytes + body.length);
  const at = headroom + ipv4HeaderBytes;
  packet[at] = type;
  packet[at + 1] = code;
  write16(packet, at + 2, 0);
  packet.writeUInt32BE(rest, at + 4);
  body.copy(packet, at + icmpHeaderBytes);
  write16(packet, at + 2, checksum(packet, at, packet.length));
  return packet;
}

/**
 * Whether an ICMP error may be sent about a packet: never about another error, a later fragment, or a packet to many
 * hosts or from what is no single host (RFC 1122, section 3.2.2).
 */
export function mayBeAnsweredByError(packet: Buffer, start: number, end: number): boolean {
  if (isLaterFragment(packet, start)) return false;
  const firstOfSource = packet[start + 12]!;
  const isOneHost = firstOfSource !== 0 && firstOfSource !== 127 && firstOfSource < firstMulticast;
  if (!isOneHost || packet[start + 16]! >= firstMulticast) return false;
  if (protocolOf(packet, start) !== protocols.icmp) return true;
  const at = start + headerBytesAt(packet, start);
  return at < end && (packet[at] === icmpTypes.echo || packet[at] === icmpTypes.echoReply);
}
