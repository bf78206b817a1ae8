/**
 * The packets of a watch, big-endian:
 *
 *     offset  bytes
 *          0      4  'PVW1'
 *          4      8  slice key: the first 8 bytes of the SHA-256 of the slice's name
 *         12      1  0 a probe, 1 the echo of one
 *         13      4  sequence number of the probe
 *
 * The key keeps the agents of one slice from answering another's; it is not a secret.
 */
import { createHash } from 'node:crypto';

const kindOffset = 12;
const packetBytes = 17;

export interface WatchPacket {
  readonly kind: 'probe' | 'echo';
  /** 0 to 2^32 - 1. */
  readonly sequence: number;
}

/** The first bytes of all packets of a slice's watches: magic and key. */
export function watchPrefix(slice: string): Buffer {
  const key = createHash('sha256').update(slice).digest().subarray(0, 8);
  return Buffer.concat([Buffer.from('PVW1', 'latin1'), key]);
}

/** Encodes a packet in a new buffer (the kernel may read it later). */
export function encodePacket(prefix: Buffer, { kind, sequence }: WatchPacket): Buffer {
  const packet = Buffer.allocUnsafe(packetBytes);
  prefix.copy(packet);
  packet.writeUInt8(kind === 'echo' ? 1 : 0, kindOffset);
  packet.writeUInt32BE(sequence, kindOffset + 1);
  return packet;
}

/** Returns undefined unless the datagram is exactly a packet of the watches with this prefix. */
export function decodePacket(prefix: Buffer, datagram: Buffer): WatchPacket | undefined {
  if (datagram.length !== packetBytes || prefix.compare(datagram, 0, kindOffset) !== 0) return undefined;
  const kind = datagram.readUInt8(kindOffset);
  if (kind > 1) return undefined;
  return { kind: kind === 1 ? 'echo' : 'probe', sequence: datagram.readUInt32BE(kindOffset + 1) };
}
