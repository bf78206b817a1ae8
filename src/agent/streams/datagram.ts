/**
 * The datagrams of a test stream, big-endian:
 *
 *     offset  bytes
 *          0      4  'PVN1'
 *          4      8  stream key: the first 8 bytes of the SHA-256 of the stream's id
 *         12      4  sequence number, from 0
 *         16      8  sending time: Unix ms by the sender's wall clock, a 64-bit float
 *         24      -  zeros up to the payload size
 *
 * The key keeps streams that meet on a reused port apart; it is not a secret.
 */
import { createHash } from 'node:crypto';

/** The smallest payload of a stream. */
export const headerBytes = 24;
/** The most packets of one stream. A receiver ignores larger sequence numbers, which limits what it must remember. */
export const maxPackets = 100_000_000;

const prefixBytes = 12;

export interface StreamPacket {
  readonly sequence: number;
  /** Unix ms by the sender's wall clock. */
  readonly sentAtMs: number;
}

/** The first bytes of all datagrams of a stream: magic and key. */
export function streamPrefix(stream: string): Buffer {
  const key = createHash('sha256').update(stream).digest().subarray(0, 8);
  return Buffer.concat([Buffer.from('PVN1', 'latin1'), key]);
}

/** Encodes the first 24 bytes of a datagram, in a new buffer (the kernel may read it later). */
export function encodeHeader(prefix: Buffer, packet: StreamPacket): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  prefix.copy(header);
  header.writeUInt32BE(packet.sequence, prefixBytes);
  header.writeDoubleBE(packet.sentAtMs, prefixBytes + 4);
  return header;
}

/** Returns the packet in a datagram, or undefined if it does not belong to the stream with this prefix. */
export function decodeDatagram(prefix: Buffer, datagram: Buffer): StreamPacket | undefined {
  if (datagram.length < headerBytes || prefix.compare(datagram, 0, prefixBytes) !== 0) return undefined;
  const sequence = datagram.readUInt32BE(prefixBytes);
  const sentAtMs = datagram.readDoubleBE(prefixBytes + 4);
  return sequence < maxPackets && Number.isFinite(sentAtMs) ? { sequence, sentAtMs } : undefined;
}
