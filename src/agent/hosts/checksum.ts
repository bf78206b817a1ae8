/**
 * Pure: transport checksums of packets inside VXLAN. A host that sends over a VXLAN device leaves the inner UDP or TCP
 * checksum to the hardware: the field then holds only the sum of the pseudo header (CHECKSUM_PARTIAL). Between two
 * namespaces no hardware completes it, so a program that takes the packet out of the kernel and sends it again must do
 * so.
 */

const vxlanHeaderBytes = 8;
const ethernetHeaderBytes = 14;
const ipOffset = vxlanHeaderBytes + ethernetHeaderBytes;
const minimumIpHeaderBytes = 20;
/** By protocol number: the checksum's offset in the transport header, and the header's least length. */
const transports = new Map([
  [6, { checksumOffset: 16, minimumBytes: 20 }],
  [17, { checksumOffset: 6, minimumBytes: 8 }],
]);
const udp = 17;

/**
 * Completes the inner checksum of a VXLAN datagram in place, and returns whether it did. Handles an unfragmented UDP or
 * TCP packet over IPv4 (options allowed) in an untagged Ethernet frame; leaves everything else as it is. A packet whose
 * complete checksum happens to equal the pseudo header's sum gets the same value again.
 */
export function completeChecksum(datagram: Uint8Array): boolean {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const segment = findSegment(view);
  if (segment === undefined) return false;
  const { start, end, protocol, checksumAt } = segment;
  const pseudoHeader = sumWords(view, ipOffset + 12, ipOffset + 20) + protocol + (end - start);
  const field = view.getUint16(checksumAt);
  // Zero in UDP: the sender uses no checksum.
  if (protocol === udp && field === 0) return false;
  if (fold(pseudoHeader) % 0xffff !== field % 0xffff) return false;
  const sum = fold(pseudoHeader + sumWords(view, start, end) - field);
  const checksum = ~sum & 0xffff;
  view.setUint16(checksumAt, protocol === udp && checksum === 0 ? 0xffff : checksum);
  return true;
}

interface Segment {
  readonly start: number;
  readonly end: number;
  readonly protocol: number;
  readonly checksumAt: number;
}

function findSegment(view: DataView): Segment | undefined {
  if (view.byteLength < ipOffset + minimumIpHeaderBytes) return undefined;
  if (view.getUint16(ipOffset - 2) !== 0x0800) return undefined;
  const version = view.getUint8(ipOffset) >> 4;
  const headerBytes = (view.getUint8(ipOffset) & 15) * 4;
  const isFragment = (view.getUint16(ipOffset + 6) & 0x3fff) !== 0;
  const protocol = view.getUint8(ipOffset + 9);
  const transport = transports.get(protocol);
  const start = ipOffset + headerBytes;
  const end = ipOffset + view.getUint16(ipOffset + 2);
  if (version !== 4 || headerBytes < minimumIpHeaderBytes || isFragment || transport === undefined) return undefined;
  if (end > view.byteLength || end - start < transport.minimumBytes) return undefined;
  if (protocol === udp && view.getUint16(start + 4) !== end - start) return undefined;
  return { start, end, protocol, checksumAt: start + transport.checksumOffset };
}

/**
 * Returns the sum of the big-endian 16-bit words from `start` to `end`, an odd last byte padded with zero (RFC 1071).
 */
function sumWords(view: DataView, start: number, end: number): number {
  let sum = 0;
  let at = start;
  for (; at + 1 < end; at += 2) sum += view.getUint16(at);
  return at < end ? sum + (view.getUint8(at) << 8) : sum;
}

/** Folds the sum to 16 bits with end-around carry. */
function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}
