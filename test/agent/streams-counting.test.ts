import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeDatagram, encodeHeader, maxPackets, streamPrefix } from '../../src/agent/streams/datagram.ts';
import { createDelays, sampleSize } from '../../src/agent/streams/delays.ts';
import { createSequenceSet } from '../../src/agent/streams/sequences.ts';
import { createTally } from '../../src/agent/streams/tally.ts';

describe('the datagram of a stream', () => {
  const prefix = streamPrefix('a-b');

  it('the datagram of a stream has the documented layout', () => {
    const header = encodeHeader(prefix, { sequence: 0x01020304, sentAtMs: 1.5 });
    expect(header.toString('hex')).toBe('50564e31d44362d67d921091010203043ff8000000000000');
  });

  it('the datagram of a stream is decoded with or without padding', () => {
    const packet = { sequence: maxPackets - 1, sentAtMs: 1_763_000_000_000.25 };
    const header = encodeHeader(prefix, packet);
    expect(decodeDatagram(prefix, header)).toEqual(packet);
    expect(decodeDatagram(prefix, Buffer.concat([header, Buffer.alloc(1000)]))).toEqual(packet);
  });

  it('a datagram is not decoded when it belongs to another stream, is cut off, is beyond the last packet, or has no time', () => {
    const header = encodeHeader(prefix, { sequence: 1, sentAtMs: 0 });
    expect(decodeDatagram(streamPrefix('a-c'), header)).toBeUndefined();
    expect(decodeDatagram(prefix, header.subarray(0, 23))).toBeUndefined();
    expect(decodeDatagram(prefix, encodeHeader(prefix, { sequence: maxPackets, sentAtMs: 0 }))).toBeUndefined();
    expect(decodeDatagram(prefix, encodeHeader(prefix, { sequence: 1, sentAtMs: Number.NaN }))).toBeUndefined();
  });
});

describe('a set of sequence numbers', () => {
  it('a set of sequence numbers returns what a Set returns', () => {
    const sequence = fc.oneof(fc.nat(40), fc.integer({ min: 65_530, max: 65_545 }), fc.nat(0xffffffff));
    fc.assert(
      fc.property(fc.array(sequence), (sequences) => {
        const set = createSequenceSet();
        const model = new Set<number>();
        for (const number of sequences) {
          expect(set.add(number)).toBe(!model.has(number));
          model.add(number);
        }
      }),
    );
  });
});

describe('delays', () => {
  it('delays have no summary when there are none', () => {
    expect(createDelays().summary()).toBeUndefined();
  });

  it('delays have exact quantiles up to the size of the sample', () => {
    const delays = createDelays();
    for (let k = sampleSize; k >= 1; k -= 1) delays.add(k - 100);
    expect(delays.summary()).toEqual({
      min: -99,
      median: sampleSize / 2 - 100,
      p99: 8111 - 100,
      max: sampleSize - 100,
    });
  });

  it('delays are sorted as numbers, not as strings', () => {
    const delays = createDelays();
    for (const delay of [9, 10, 100]) delays.add(delay);
    expect(delays.summary()).toEqual({ min: 9, median: 10, p99: 100, max: 100 });
  });

  it('delays beyond the sample keep exact extremes and place each new delay by the given chance', () => {
    const places = [0.25, 0.9999999];
    const delays = createDelays(() => places.shift()!);
    for (let k = 0; k < sampleSize; k += 1) delays.add(5);
    delays.add(1000);
    delays.add(-1000);
    expect(delays.summary()).toEqual({ min: -1000, median: 5, p99: 5, max: 1000 });
  });

  it('delays are sampled evenly from a long stream', () => {
    const delays = createDelays(pseudoRandom(1));
    const total = 200_000;
    for (let k = 0; k < total; k += 1) delays.add(k);
    const { median, p99 } = delays.summary()!;
    expect(Math.abs(median / total - 0.5)).toBeLessThan(0.03);
    expect(Math.abs(p99 / total - 0.99)).toBeLessThan(0.01);
  });
});

describe('the tally of a stream', () => {
  it('the tally of a stream is empty at first, without delays', () => {
    expect(createTally().report()).toEqual({ received: 0, duplicated: 0, reordered: 0, maxGapMs: 0 });
  });

  it('the tally counts as a naive model does, whatever is lost, duplicated and reordered', () => {
    fc.assert(
      fc.property(arrivalsOfAStream, (arrivals) => {
        const tally = createTally();
        for (const { sequence, sentAtMs, wallMs, monotonicMs } of arrivals) {
          tally.add({ sequence, sentAtMs }, { wallMs, monotonicMs });
        }
        expect(tally.report()).toEqual(naiveReport(arrivals));
      }),
      { numRuns: 300 },
    );
  });
});

interface TestArrival {
  readonly sequence: number;
  readonly sentAtMs: number;
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/**
 * Any sequence numbers in any order, most of them near each other and some twice; gaps and delays (also negative) at
 * random.
 */
const arrivalsOfAStream: fc.Arbitrary<TestArrival[]> = fc
  .array(
    fc.record({
      sequence: fc.nat(60),
      delayMs: fc.integer({ min: -50, max: 50 }),
      gapMs: fc.integer({ min: 0, max: 20 }),
    }),
    { maxLength: 120 },
  )
  .map((packets) => {
    let monotonicMs = 7;
    return packets.map(({ sequence, delayMs, gapMs }) => {
      monotonicMs += gapMs;
      return { sequence, sentAtMs: 1000 + sequence, wallMs: 1000 + sequence + delayMs, monotonicMs };
    });
  });

function naiveReport(arrivals: readonly TestArrival[]) {
  const firsts = arrivals.filter((a, k) => arrivals.findIndex((b) => b.sequence === a.sequence) === k);
  const reordered = firsts.filter((a, k) => firsts.slice(0, k).some((b) => b.sequence > a.sequence));
  const gaps = arrivals.slice(1).map((a, k) => a.monotonicMs - arrivals[k]!.monotonicMs);
  const delays = firsts.map((a) => a.wallMs - a.sentAtMs).sort((a, b) => a - b);
  const rank = (fraction: number) => delays[Math.ceil(delays.length * fraction) - 1];
  return {
    received: firsts.length,
    duplicated: arrivals.length - firsts.length,
    reordered: reordered.length,
    maxGapMs: Math.max(0, ...gaps),
    ...(delays.length === 0
      ? {}
      : { delayMs: { min: delays[0], median: rank(0.5), p99: rank(0.99), max: delays.at(-1) } }),
  };
}

/** Returns numbers in [0, 1) that are the same in every run (mulberry32). */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
