/** Pure: the packets that measure the links of a relay. */

/** Room for the header, and little of a path with a rate. */
export const probeBytes = 64;

/** A probe names the link that it takes, by the positions of the nodes. */
export interface ProbeHeader {
  readonly from: number;
  readonly to: number;
  readonly number: number;
}

/** `bytes`: at least `probeBytes`. */
export function probePacket({ from, to, number }: ProbeHeader, bytes: number): Buffer {
  const data = Buffer.alloc(bytes);
  data.writeUInt16BE(from, 0);
  data.writeUInt16BE(to, 2);
  data.writeUInt32BE(number, 4);
  return data;
}

export function probeNumber(data: Buffer): number {
  return data.readUInt32BE(4);
}

/** Returns undefined for a packet that is no probe between two of so many nodes. */
export function probeEnds(data: Buffer, nodes: number): { from: number; to: number } | undefined {
  if (data.length < probeBytes) return undefined;
  const [from, to] = [data.readUInt16BE(0), data.readUInt16BE(2)];
  return from < nodes && to < nodes ? { from, to } : undefined;
}
