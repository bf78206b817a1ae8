import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPcapReader, type PcapPacket } from '../../../src/controller/inside/pcap.ts';

/** What tcpdump 4.99.3 wrote of an echo request and its reply on a loopback, with times in ns. */
const written = Buffer.from(
  '4d3cb2a102000400000000000000000064000000010000001a9b0d6b32c0420962000000620000000000000000000000000000000800' +
    '45000054c3814000400179257f0000017f00000108001b36179100011a9b0d6b00000000dc5e020000000000101112131415161718' +
    '191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536371a9b0d6b9edb42096200000062000000000000000000' +
    '000000000000080045000054c38200004001b9247f0000017f00000100002336179100011a9b0d6b00000000dc5e02000000000010' +
    '1112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637',
  'hex',
);

function readInPieces(file: Buffer, sizes: readonly number[]): PcapPacket[] {
  const reader = createPcapReader();
  const packets: PcapPacket[] = [];
  for (let at = 0, turn = 0; at < file.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    packets.push(...reader.push(file.subarray(at, at + size)));
    at += size;
  }
  expect(reader.isWithin()).toBe(false);
  return packets;
}

/** A file with one packet of `AAAA` that had 60 bytes, in the other byte order and with times in us. */
function bigEndian(): Buffer {
  const file = Buffer.alloc(44);
  for (const [at, value] of [
    [0, 0xa1b2c3d4],
    [16, 4],
    [20, 0xf0000071],
    [24, 1_700_000_000],
    [28, 999_999],
    [32, 4],
    [36, 60],
  ] as const) {
    file.writeUInt32BE(value, at);
  }
  file.write('AAAA', 40);
  return file;
}

it('the reader reads what tcpdump wrote', () => {
  const reader = createPcapReader();
  const packets = reader.push(written);
  expect(reader.header()).toEqual({ linkType: 1, snaplen: 100 });
  expect(packets.map(({ timestampNs }) => timestampNs)).toEqual([
    1_796_053_786_155_369_522n,
    1_796_053_786_155_376_542n,
  ]);
  expect(packets.map(({ originalBytes, data }) => [originalBytes, data.length])).toEqual([
    [98, 98],
    [98, 98],
  ]);
  expect(packets[0]!.data.toString('hex', 12, 16)).toBe('08004500');
});

it('the reader reads the same packets whatever pieces the file arrives in', () => {
  const whole = createPcapReader().push(written);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 20 }), (sizes) => {
      expect(readInPieces(written, sizes)).toEqual(whole);
    }),
  );
});

it('the reader reads files of machines with another byte order, and times in microseconds', () => {
  const reader = createPcapReader();
  expect(reader.push(bigEndian())).toEqual([
    { timestampNs: 1_700_000_000_999_999_000n, originalBytes: 60, data: Buffer.from('AAAA') },
  ]);
  // Without the bits that say how long a check sequence is.
  expect(reader.header()).toEqual({ linkType: 113, snaplen: 4 });
});

it('the reader says that a packet has not arrived completely', () => {
  const reader = createPcapReader();
  expect(reader.push(written.subarray(0, 30))).toEqual([]);
  expect(reader.isWithin()).toBe(true);
});

it('the reader refuses what is no pcap file', () => {
  expect(() => createPcapReader().push(Buffer.from('#!/bin/sh\necho welcome to the node\n'))).toThrow(
    'what arrives is not a pcap file: it begins with 23212f62',
  );
  const huge = Buffer.from(written);
  huge.writeUInt32LE(0xffffffff, 32);
  expect(() => createPcapReader().push(huge)).toThrow('the pcap file has a packet of 4294967295 bytes');
});
