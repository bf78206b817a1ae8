/** Pure: reads a pcap file (draft-ietf-opsawg-pcap, "PCAP Capture File Format") while it arrives in pieces. */
import { VnmError } from '../../model/errors.ts';

interface PcapHeader {
  /** LINKTYPE_ value; 1 for Ethernet. */
  readonly linkType: number;
  /** Bytes. */
  readonly snaplen: number;
}

export interface PcapPacket {
  /** Since the Unix epoch, ns. */
  readonly timestampNs: bigint;
  /** What the packet had before it was cut to `data`, bytes. */
  readonly originalBytes: number;
  readonly data: Buffer;
}

export interface PcapReader {
  /** Returns the packets that are complete with these bytes. Throws VnmError `failed` if this is no pcap file. */
  push(bytes: Buffer): PcapPacket[];
  /** Undefined until it has arrived. */
  header(): PcapHeader | undefined;
  /** Whether a packet or the header has arrived in part. */
  isWithin(): boolean;
}

const headerBytes = 24;
const recordBytes = 16;
/** More than any program that captures takes of one packet. */
const maxPacketBytes = 256 * 1024 * 1024;

const magics = { microseconds: 0xa1b2c3d4, nanoseconds: 0xa1b23c4d } as const;

interface Format {
  readonly header: PcapHeader;
  /** Reads a number of four bytes. */
  readonly uint: (bytes: Buffer, at: number) => number;
  readonly nsPerFraction: bigint;
}

export function createPcapReader(): PcapReader {
  let rest: Buffer = Buffer.alloc(0);
  let format: Format | undefined;
  return {
    push(bytes) {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      if (format === undefined) {
        if (rest.length < headerBytes) return [];
        format = readHeader(rest);
        rest = rest.subarray(headerBytes);
      }
      const packets: PcapPacket[] = [];
      for (let packet = readPacket(format, rest); packet !== undefined; packet = readPacket(format, rest)) {
        packets.push(packet);
        rest = rest.subarray(recordBytes + packet.data.length);
      }
      return packets;
    },
    header: () => format?.header,
    isWithin: () => rest.length > 0,
  };
}

function readHeader(bytes: Buffer): Format {
  const littleEndian = (from: Buffer, at: number) => from.readUInt32LE(at);
  const bigEndian = (from: Buffer, at: number) => from.readUInt32BE(at);
  for (const uint of [littleEndian, bigEndian]) {
    const isNano = uint(bytes, 0) === magics.nanoseconds;
    if (!isNano && uint(bytes, 0) !== magics.microseconds) continue;
    // The upper bits of the link type say whether packets have a check sequence.
    const header = { linkType: uint(bytes, 20) & 0xffff, snaplen: uint(bytes, 16) };
    return { header, uint, nsPerFraction: isNano ? 1n : 1000n };
  }
  throw new VnmError('failed', `what arrives is not a pcap file: it begins with ${bytes.toString('hex', 0, 4)}`);
}

function readPacket({ uint, nsPerFraction }: Format, bytes: Buffer): PcapPacket | undefined {
  if (bytes.length < recordBytes) return undefined;
  const length = uint(bytes, 8);
  if (length > maxPacketBytes) throw new VnmError('failed', `the pcap file has a packet of ${length} bytes`);
  if (bytes.length < recordBytes + length) return undefined;
  return {
    timestampNs: BigInt(uint(bytes, 0)) * 1_000_000_000n + BigInt(uint(bytes, 4)) * nsPerFraction,
    originalBytes: uint(bytes, 12),
    data: bytes.subarray(recordBytes, recordBytes + length),
  };
}
