import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkedLength,
  checksum,
  decrementTtl,
  icmpPacket,
  icmpTypes,
  mayBeAnsweredByError,
  newPacket,
  protocols,
  read16,
  udpPacket,
  write16,
} from '../../../src/agent/dataplane/userspace/ipv4.ts';
import { parseAddress } from '../../../src/model/address.ts';

const ends = { from: parseAddress('10.65.0.1'), to: parseAddress('10.65.0.2') };

/** The header of 20 bytes with a correct checksum: the bytes given, as far as they may be free. */
function headerOf(bytes: Uint8Array): Buffer {
  const header = Buffer.from(bytes);
  header[0] = 0x45;
  write16(header, 2, 20);
  header[8] = Math.max(1, header[8]!);
  write16(header, 10, 0);
  write16(header, 10, checksum(header, 0, 20));
  return header;
}

describe('checksum', () => {
  it('is that of the example of RFC 1071, section 3', () => {
    const words = Buffer.from('0001f203f4f5f6f7', 'hex');
    expect(checksum(words, 0, words.length)).toBe(0xffff & ~0xddf2);
  });

  it('is 0 over a range that holds it, also of an odd number of bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 100, size: 'max' }), (bytes) => {
        const packet = Buffer.from(bytes);
        write16(packet, 0, 0);
        write16(packet, 0, checksum(packet, 0, packet.length));
        expect(checksum(packet, 0, packet.length)).toBe(0);
      }),
    );
  });
});

describe('the TTL', () => {
  const bytes = fc.uint8Array({ minLength: 20, maxLength: 20 });

  function isUpdated(header: Buffer): void {
    const ttl = header[8]!;
    decrementTtl(header, 0);
    expect(header[8]).toBe(ttl - 1);
    const updated = read16(header, 10);
    write16(header, 10, 0);
    expect(updated).toBe(checksum(header, 0, 20));
  }

  it('is decremented with the checksum that a full calculation gives', () => {
    fc.assert(fc.property(bytes, (header) => isUpdated(headerOf(header))));
  });

  it('is decremented with the right checksum whatever that was', () => {
    const header = headerOf(new Uint8Array(20));
    const rest = ~checksum(header, 0, 20);
    expect(rest & 0xffff).toBe(0xffff);
    for (let id = 0; id < 0x10000; id += 1) {
      write16(header, 4, id);
      header[8] = 64;
      write16(header, 10, 0);
      write16(header, 10, checksum(header, 0, 20));
      isUpdated(header);
    }
  });
});

describe('a packet', () => {
  it('has its length where it is complete and its header correct', () => {
    const packet = udpPacket(12, ends, { fromPort: 1, toPort: 2 }, [Buffer.from('abc'), Buffer.from('de')]);
    expect(packet.length).toBe(12 + 20 + 8 + 5);
    expect(checkedLength(packet, 12, packet.length)).toBe(33);
    const padded = Buffer.concat([packet, Buffer.alloc(7)]);
    expect(checkedLength(padded, 12, padded.length)).toBe(33);
  });

  it('has no length where a byte of its header is wrong or its end is missing', () => {
    const packet = newPacket(0, protocols.udp, ends, 8);
    for (let at = 0; at < 20; at += 1) {
      for (const bit of [1, 128]) {
        const damaged = Buffer.from(packet);
        damaged[at]! ^= bit;
        expect(checkedLength(damaged, 0, damaged.length), `byte ${at}`).toBe(0);
      }
    }
    for (let end = 0; end < packet.length; end += 1) expect(checkedLength(packet, 0, end)).toBe(0);
  });

  it('may have options', () => {
    const packet = newPacket(0, protocols.udp, ends, 12);
    packet[0] = 0x46;
    write16(packet, 10, 0);
    write16(packet, 10, checksum(packet, 0, 24));
    expect(checkedLength(packet, 0, packet.length)).toBe(32);
  });

  it('is refused when it would be larger than IPv4 can say', () => {
    expect(() => newPacket(0, protocols.udp, ends, 65_516)).toThrow('a packet of 65536 bytes is too large');
    expect(newPacket(0, protocols.udp, ends, 65_515).length).toBe(65_535);
  });

  it('with ICMP has the checksum of its message', () => {
    const packet = icmpPacket(4, ends, { type: 8, code: 0, rest: 0xfffe_0001 }, Buffer.from('odd'));
    expect(packet.toString('hex', 24)).toMatch(/^0800....fffe0001/);
    expect(checksum(packet, 24, packet.length)).toBe(0);
  });
});

describe('an ICMP error', () => {
  const about = (packet: Buffer) => mayBeAnsweredByError(packet, 0, packet.length);
  const icmp = (type: number) => icmpPacket(0, ends, { type, code: 0, rest: 0 }, Buffer.alloc(28));
  const udp = (from: string, to = '10.65.0.2') =>
    newPacket(0, protocols.udp, { from: parseAddress(from), to: parseAddress(to) }, 8);

  it('may be sent about datagrams and echo messages', () => {
    expect([udp('10.65.0.1'), icmp(icmpTypes.echo), icmp(icmpTypes.echoReply)].map(about)).toEqual([true, true, true]);
  });

  it('is not sent about other errors, or ICMP without a type', () => {
    expect([icmp(icmpTypes.unreachable), icmp(icmpTypes.timeExceeded)].map(about)).toEqual([false, false]);
    expect(about(newPacket(0, protocols.icmp, ends, 0))).toBe(false);
  });

  it('is not sent about later fragments', () => {
    const fragment = udp('10.65.0.1');
    write16(fragment, 6, 0x2001);
    expect(about(fragment)).toBe(false);
    write16(fragment, 6, 0x2000);
    expect(about(fragment)).toBe(true);
  });

  it('is not sent to a source that is no single host, nor about a packet for many', () => {
    const sources = ['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'];
    expect(sources.filter((source) => about(udp(source)))).toEqual([]);
    expect(['224.0.0.1', '255.255.255.255'].filter((to) => about(udp('10.65.0.1', to)))).toEqual([]);
  });
});
