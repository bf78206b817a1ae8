/** Pure: the blocks of a pcapng file with one interface (draft-ietf-opsawg-pcapng, "PCAP Now Generic"). */

/** Describes the section and its one interface. */
export interface CapturedInterface {
  /** The program that wrote the file. */
  readonly application: string;
  readonly name: string;
  readonly description: string;
  /** LINKTYPE_ value. */
  readonly linkType: number;
  /** Bytes. */
  readonly snaplen: number;
  /** Like `02:00:0a:41:00:01`. */
  readonly mac?: string | undefined;
}

export interface CapturedPacket {
  /** Since the Unix epoch, ns. */
  readonly timestampNs: bigint;
  /** Bytes. */
  readonly originalBytes: number;
  readonly data: Buffer;
  /** Seen from the interface; absent where it is not known. */
  readonly direction?: 'in' | 'out' | undefined;
}

const blockTypes = { section: 0x0a0d0d0a, interface: 1, statistics: 5, packet: 6 };
const byteOrderMagic = 0x1a2b3c4d;
/** Codes of options; each block has its own. */
const options = {
  section: { application: 4 },
  interface: { name: 2, description: 3, mac: 6, resolution: 9 },
  packet: { flags: 2 },
  statistics: { received: 6, dropped: 7 },
};
const directionFlags = { in: 1, out: 2 };
/** Of time stamps: units of 10^-9 s. */
const nanoseconds = 9;

/** Returns the beginning of a file: the section header, and the description of the interface. */
export function fileStart(captured: CapturedInterface): Buffer {
  const { section, interface: of } = options;
  return Buffer.concat([
    block(
      blockTypes.section,
      // Version 1.0, and a section without a given length.
      Buffer.concat([uint32(byteOrderMagic), uint16(1), uint16(0), Buffer.alloc(8, 0xff)]),
      [option(section.application, Buffer.from(captured.application))],
    ),
    block(blockTypes.interface, Buffer.concat([uint16(captured.linkType), uint16(0), uint32(captured.snaplen)]), [
      option(of.name, Buffer.from(captured.name)),
      option(of.description, Buffer.from(captured.description)),
      ...(captured.mac === undefined ? [] : [option(of.mac, macBytes(captured.mac))]),
      option(of.resolution, Buffer.from([nanoseconds])),
    ]),
  ]);
}

/** Returns an enhanced packet block. */
export function packetBlock({ timestampNs, originalBytes, data, direction }: CapturedPacket): Buffer {
  const body = Buffer.concat([
    uint32(0),
    timestamp(timestampNs),
    uint32(data.length),
    uint32(originalBytes),
    padded(data),
  ]);
  const flags = direction === undefined ? [] : [option(options.packet.flags, uint32(directionFlags[direction]))];
  return block(blockTypes.packet, body, flags);
}

/**
 * Returns the block with counts of packets: those for the capture, and those for which the node had no room. `atNs`:
 * when they were read, Unix ns.
 */
export function statisticsBlock({
  atNs,
  received,
  dropped,
}: {
  atNs: bigint;
  received: number;
  dropped: number;
}): Buffer {
  return block(blockTypes.statistics, Buffer.concat([uint32(0), timestamp(atNs)]), [
    option(options.statistics.received, uint64(received)),
    option(options.statistics.dropped, uint64(dropped)),
  ]);
}

/**
 * Returns which way a frame went through an interface with this MAC address: only what the interface itself sends has
 * that address as its source. Returns undefined for an interface without one, and for what is no Ethernet frame.
 */
export function directionOf(data: Buffer, linkType: number, mac: string | undefined): CapturedPacket['direction'] {
  if (mac === undefined || linkType !== ethernet || data.length < 12) return undefined;
  return data.subarray(6, 12).equals(macBytes(mac)) ? 'out' : 'in';
}

const ethernet = 1;

function block(type: number, body: Buffer, all: readonly Buffer[]): Buffer {
  const endOfOptions = all.length === 0 ? [] : [option(0, Buffer.alloc(0))];
  const content = Buffer.concat([body, ...all, ...endOfOptions]);
  // Its own length, at both ends, so that a file can also be read backwards.
  const length = uint32(content.length + 12);
  return Buffer.concat([uint32(type), length, content, length]);
}

function option(code: number, value: Buffer): Buffer {
  return Buffer.concat([uint16(code), uint16(value.length), padded(value)]);
}

/** Blocks and options fill words of four bytes. */
function padded(bytes: Buffer): Buffer {
  const missing = (4 - (bytes.length % 4)) % 4;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}

/** The upper half comes first, whatever the byte order. */
function timestamp(ns: bigint): Buffer {
  return Buffer.concat([uint32(Number(ns >> 32n)), uint32(Number(ns & 0xffffffffn))]);
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
