/** Reads pcapng files, independent of the program under test (draft-ietf-opsawg-pcapng). Little-endian files only. */

export interface Block {
  readonly type: number;
  /** Without options. */
  readonly body: Buffer;
  readonly options: ReadonlyMap<number, Buffer>;
}

/** By type of block, how many bytes are before its options; of a packet, with its data. */
function fixedBytes(type: number, content: Buffer): number {
  if (type === 0x0a0d0d0a) return 16;
  if (type === 1) return 8;
  if (type === 5) return 12;
  if (type === 6) return 20 + 4 * Math.ceil(content.readUInt32LE(12) / 4);
  throw new Error(`unknown block type ${type}`);
}

/** Throws if the file does not consist of complete blocks. */
export function readBlocks(file: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < file.length; ) {
    const type = file.readUInt32LE(at);
    const length = file.readUInt32LE(at + 4);
    if (length % 4 !== 0 || file.readUInt32LE(at + length - 4) !== length) throw new Error(`bad block at ${at}`);
    const content = file.subarray(at + 8, at + length - 4);
    const fixed = fixedBytes(type, content);
    blocks.push({ type, body: content.subarray(0, fixed), options: readOptions(content.subarray(fixed)) });
    at += length;
  }
  return blocks;
}

function readOptions(bytes: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const [code, length] = [bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2)];
    if (code === 0) {
      if (at + 4 !== bytes.length) throw new Error('something after the end of the options');
      return options;
    }
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + 4 * Math.ceil(length / 4);
  }
  if (bytes.length > 0) throw new Error('options without an end');
  return options;
}

interface Packet {
  readonly timestampNs: bigint;
  readonly originalBytes: number;
  readonly data: Buffer;
  /** The two bits for the direction; undefined without flags. */
  readonly direction: number | undefined;
}

export function packetsOf(blocks: readonly Block[]): Packet[] {
  return blocks
    .filter(({ type }) => type === 6)
    .map(({ body, options }) => ({
      timestampNs: (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8)),
      originalBytes: body.readUInt32LE(16),
      data: body.subarray(20, 20 + body.readUInt32LE(12)),
      direction: options.get(2)?.readUInt32LE(0),
    }));
}
