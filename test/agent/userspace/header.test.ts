import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeTunnelHeader,
  hasHeader,
  tunnelHeaderBytes,
  tunnelNumberOf,
} from '../../../src/agent/dataplane/userspace/header.ts';

const ends = { instance: 3, vni: 4097, key: '0123456789abcdef' };
const header = encodeTunnelHeader(ends);

const anyEnds = fc.record({
  instance: fc.nat(0xffff),
  vni: fc.integer({ min: 1, max: 0xffffff }),
  key: fc.uint8Array({ minLength: 8, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
});

describe('the header of a tunnel', () => {
  it('stays as other versions know it', () => {
    expect(header.toString('hex')).toBe('b10000030000100197e240e6');
  });

  it('is recognized, and says the tunnel', () => {
    fc.assert(
      fc.property(anyEnds, (any) => {
        const datagram = Buffer.concat([encodeTunnelHeader(any), Buffer.from('packet')]);
        expect(tunnelNumberOf(datagram)).toBe(any.vni);
        expect(hasHeader(datagram, encodeTunnelHeader(any))).toBe(true);
      }),
    );
  });

  it('is not that of another slice or instance', () => {
    expect(hasHeader(encodeTunnelHeader({ ...ends, key: '0123456789abcdee' }), header)).toBe(false);
    expect(hasHeader(encodeTunnelHeader({ ...ends, instance: 4 }), header)).toBe(false);
    expect(hasHeader(encodeTunnelHeader({ ...ends, vni: 4098 }), header)).toBe(false);
  });

  it('is checked as a whole: no byte may differ', () => {
    for (let at = 0; at < tunnelHeaderBytes; at += 1) {
      const damaged = Buffer.from(header);
      damaged[at]! ^= 1;
      const isAccepted = tunnelNumberOf(damaged) === ends.vni && hasHeader(damaged, header);
      expect(isAccepted, `byte ${at}`).toBe(false);
    }
  });

  it('of another version, or truncated, names no tunnel', () => {
    const other = Buffer.from(header);
    other[0] = 0xb2;
    expect(tunnelNumberOf(other)).toBe(-1);
    for (let end = 0; end < tunnelHeaderBytes; end += 1) expect(tunnelNumberOf(header.subarray(0, end))).toBe(-1);
    expect(tunnelNumberOf(header)).toBe(ends.vni);
  });
});
