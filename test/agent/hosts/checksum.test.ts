import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { completeChecksum } from '../../../src/agent/hosts/checksum.ts';

const udp = 17;
const tcp = 6;
const frameAt = 8;
const ipAt = frameAt + 14;

interface Packet {
  readonly protocol: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly optionWords: number;
  readonly payload: Uint8Array;
  /** Bytes after the IP packet, as in a short Ethernet frame. */
  readonly padding: number;
}

const packets: fc.Arbitrary<Packet> = fc.record({
  protocol: fc.constantFrom(udp, tcp),
  source: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  destination: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  optionWords: fc.integer({ min: 0, max: 10 }),
  payload: fc.uint8Array({ maxLength: 1500 }),
  padding: fc.integer({ min: 0, max: 30 }),
});

/** Encapsulates a packet as a host passes it to a VXLAN device, with `field` in the transport checksum. */
function encapsulate(packet: Packet, field: number): Buffer {
  const start = transportAt(packet);
  const length = transportLength(packet);
  const datagram = Buffer.alloc(start + length + packet.padding, 0xee);
  datagram.fill(0, 0, start + headerBytes(packet));
  datagram[0] = 0x08;
  datagram.writeUInt16BE(0x0800, frameAt + 12);
  datagram[ipAt] = 0x40 | (5 + packet.optionWords);
  datagram.writeUInt16BE(start - ipAt + length, ipAt + 2);
  datagram.writeUInt16BE(0x4000, ipAt + 6);
  datagram[ipAt + 9] = packet.protocol;
  datagram.set(packet.source, ipAt + 12);
  datagram.set(packet.destination, ipAt + 16);
  datagram.writeUInt16BE(40_001, start);
  datagram.writeUInt16BE(5001, start + 2);
  if (packet.protocol === udp) datagram.writeUInt16BE(length, start + 4);
  datagram.set(packet.payload, start + headerBytes(packet));
  datagram.writeUInt16BE(field, checksumAt(packet));
  return datagram;
}

function headerBytes({ protocol }: Packet): number {
  return protocol === udp ? 8 : 20;
}

function transportAt({ optionWords }: Packet): number {
  return ipAt + 20 + 4 * optionWords;
}

function transportLength(packet: Packet): number {
  return headerBytes(packet) + packet.payload.length;
}

function checksumAt(packet: Packet): number {
  return transportAt(packet) + (packet.protocol === udp ? 6 : 16);
}

/** Returns the ones' complement sum of bytes, by the definition. */
function onesComplementSum(bytes: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

function pseudoHeader(packet: Packet): number[] {
  const length = transportLength(packet);
  return [...packet.source, ...packet.destination, 0, packet.protocol, length >> 8, length & 255];
}

function rightChecksum(packet: Packet): number {
  const start = transportAt(packet);
  const segment = encapsulate(packet, 0).subarray(start, start + transportLength(packet));
  const checksum = 0xffff - onesComplementSum([...pseudoHeader(packet), ...segment]);
  return packet.protocol === udp && checksum === 0 ? 0xffff : checksum;
}

describe('completeChecksum', () => {
  test('completeChecksum completes a checksum that the kernel leaves to the hardware, and changes nothing else', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const datagram = encapsulate(packet, onesComplementSum(pseudoHeader(packet)));
        expect(completeChecksum(datagram)).toBe(true);
        expect(datagram).toEqual(encapsulate(packet, rightChecksum(packet)));
      }),
    );
  });

  test('a complete checksum stays as it is', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const datagram = encapsulate(packet, rightChecksum(packet));
        completeChecksum(datagram);
        expect(datagram).toEqual(encapsulate(packet, rightChecksum(packet)));
      }),
    );
  });

  test('a wrong checksum is not repaired', () => {
    fc.assert(
      fc.property(packets, fc.integer({ min: 0, max: 0xffff }), (packet, field) => {
        fc.pre(field % 0xffff !== onesComplementSum(pseudoHeader(packet)) % 0xffff);
        const datagram = encapsulate(packet, field);
        expect(completeChecksum(datagram)).toBe(false);
        expect(datagram).toEqual(encapsulate(packet, field));
      }),
    );
  });

  test('a UDP checksum of zero is sent as 0xffff, since zero means none', () => {
    const packet = { ...samplePacket, payload: Uint8Array.of(0, 0) };
    const zeroing = { ...packet, payload: Uint8Array.of(rightChecksum(packet) >> 8, rightChecksum(packet) & 255) };
    const datagram = encapsulate(zeroing, onesComplementSum(pseudoHeader(zeroing)));
    expect(completeChecksum(datagram)).toBe(true);
    expect(datagram.readUInt16BE(checksumAt(zeroing))).toBe(0xffff);
  });

  test('UDP without a checksum stays as it is', () => {
    expect(completeChecksum(encapsulate(samplePacket, 0))).toBe(false);
  });

  test.each<[string, (datagram: Buffer) => Buffer]>([
    ['a first fragment', (datagram) => withByte(datagram, ipAt + 6, 0x20)],
    ['a later fragment', (datagram) => withByte(datagram, ipAt + 7, 0x01)],
    ['a tagged frame', (datagram) => withByte(datagram, frameAt + 12, 0x81)],
    ['another IP version', (datagram) => withByte(datagram, ipAt, 0x65)],
    ['an impossible header length', (datagram) => withByte(datagram, ipAt, 0x44)],
    ['another protocol', (datagram) => withByte(datagram, ipAt + 9, 1)],
    ['a UDP length that is not the packet’s', (datagram) => withByte(datagram, transportAt(samplePacket) + 5, 9)],
    ['a packet longer than its datagram', (datagram) => datagram.subarray(0, datagram.length - 1)],
    ['no more than a header', (datagram) => datagram.subarray(0, ipAt + 20)],
  ])('%s stays as it is', (_name, spoil) => {
    const datagram = spoil(encapsulate(samplePacket, onesComplementSum(pseudoHeader(samplePacket))));
    const before = Buffer.from(datagram);
    expect(completeChecksum(datagram)).toBe(false);
    expect(datagram).toEqual(before);
  });

  test('completeChecksum accepts any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void completeChecksum(bytes)));
  });
});

const samplePacket: Packet = {
  protocol: udp,
  source: Uint8Array.of(10, 65, 0, 1),
  destination: Uint8Array.of(10, 65, 0, 2),
  optionWords: 0,
  payload: Uint8Array.of(1, 2, 3, 4, 5),
  padding: 0,
};

function withByte(datagram: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(datagram);
  changed[at] = value;
  return changed;
}
