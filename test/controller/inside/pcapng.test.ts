import fc from 'fast-check';
import { expect, it } from 'vitest';
import { directionOf, fileStart, packetBlock, statisticsBlock } from '../../../src/controller/inside/pcapng.ts';
import { packetsOf, readBlocks } from '../../support/pcapng.ts';

const mac = '02:50:0a:41:00:01';

it('a file begins with a section and the description of its interface', () => {
  const names = { application: 'pl-vnm 0.1.0', name: 'a-b', description: 'slice three' };
  const [section, described, ...others] = readBlocks(fileStart({ ...names, linkType: 1, snaplen: 1500, mac }));
  expect(others).toEqual([]);
  expect(section!.type).toBe(0x0a0d0d0a);
  expect(section!.body.toString('hex')).toBe('4d3c2b1a01000000ffffffffffffffff');
  expect(section!.options.get(4)!.toString()).toBe('pl-vnm 0.1.0');
  expect([described!.type, described!.body.toString('hex')]).toEqual([1, '01000000dc050000']);
  expect(described!.options.get(2)!.toString()).toBe('a-b');
  expect(described!.options.get(3)!.toString()).toBe('slice three');
  expect(described!.options.get(6)!.toString('hex')).toBe('02500a410001');
  // Times in 10^-9 s.
  expect(described!.options.get(9)).toEqual(Buffer.from([9]));
});

it('an interface without a MAC address has no such option', () => {
  const start = fileStart({ application: 'x', name: 'a-b', description: '', linkType: 101, snaplen: 1500 });
  expect(readBlocks(start)[1]!.options.has(6)).toBe(false);
});

it('a packet has its time, sizes, data and direction, whatever its size', () => {
  fc.assert(
    fc.property(
      fc.bigInt(0n, 2n ** 64n - 1n),
      fc.uint8Array({ maxLength: 70 }),
      fc.integer({ min: 0, max: 65_535 }),
      fc.constantFrom('in' as const, 'out' as const, undefined),
      (timestampNs, bytes, more, direction) => {
        const packet = { timestampNs, data: Buffer.from(bytes), originalBytes: bytes.length + more };
        const flags = { in: 1, out: 2 };
        expect(packetsOf(readBlocks(packetBlock({ ...packet, direction })))).toEqual([
          { ...packet, direction: direction && flags[direction] },
        ]);
      },
    ),
  );
});

it('the statistics say how many packets there were and how many had no room', () => {
  const [block] = readBlocks(statisticsBlock({ atNs: 2n ** 32n + 7n, received: 5_000_000_000, dropped: 3 }));
  expect([block!.type, block!.body.toString('hex')]).toEqual([5, '000000000100000007000000']);
  expect([6, 7].map((code) => block!.options.get(code)!.readBigUInt64LE(0))).toEqual([5_000_000_000n, 3n]);
});

it('only a frame whose source is the interface itself goes out', () => {
  const frame = (source: string) => Buffer.from(`ffffffffffff${source.replaceAll(':', '')}0800`, 'hex');
  expect(directionOf(frame(mac), 1, mac)).toBe('out');
  expect(directionOf(frame('02:50:0a:41:00:00'), 1, mac)).toBe('in');
  expect(directionOf(frame(mac), 101, mac)).toBeUndefined();
  expect(directionOf(frame(mac), 1, undefined)).toBeUndefined();
  expect(directionOf(Buffer.alloc(11), 1, mac)).toBeUndefined();
});
