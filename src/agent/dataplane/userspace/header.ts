/**
 * The header of a tunnel between two userspace routers, before each IPv4 packet in a UDP datagram; big-endian:
 *
 *     offset  bytes
 *          0      1  0xb1: the protocol, and its version 1
 *          1      1  0
 *          2      2  instance
 *          4      4  tunnel
 *          8      4  check: the first four bytes of SHA-256 over the slice's key and the eight bytes before
 *
 * The check keeps a datagram of another slice, of an earlier instance or of a stranger who does not know the key out of
 * the tunnel. It is the same for every packet of a tunnel: who can read the packets can send others (docs/security.md).
 */
import { createHash } from 'node:crypto';
import { read16, readAddress } from './ipv4.ts';

export const tunnelHeaderBytes = 12;
const protocolAndVersion = 0xb1;

export interface TunnelEnds {
  readonly instance: number;
  /** Number of the tunnel. */
  readonly vni: number;
  /** Hexadecimal. */
  readonly key: string;
}

export function encodeTunnelHeader({ instance, vni, key }: TunnelEnds): Buffer {
  const header = Buffer.alloc(tunnelHeaderBytes);
  header[0] = protocolAndVersion;
  header.writeUInt16BE(instance, 2);
  header.writeUInt32BE(vni, 4);
  const hash = createHash('sha256').update(Buffer.from(key, 'hex')).update(header.subarray(0, 8));
  hash.digest().copy(header, 8, 0, 4);
  return header;
}

/** The number of the tunnel that a datagram says it is of; -1 for what is no datagram of a tunnel. */
export function tunnelNumberOf(datagram: Buffer): number {
  if (datagram.length < tunnelHeaderBytes || datagram[0] !== protocolAndVersion || datagram[1] !== 0) return -1;
  return readAddress(datagram, 4);
}

/** Whether instance and check of a datagram are the tunnel's. */
export function hasHeader(datagram: Buffer, header: Buffer): boolean {
  return readAddress(datagram, 8) === readAddress(header, 8) && read16(datagram, 2) === read16(header, 2);
}
