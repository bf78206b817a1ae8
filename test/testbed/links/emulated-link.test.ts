import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EmulatedLink } from '../../../src/testbed/links/emulated-link.ts';
import type { LinkProperties } from '../../../src/testbed/links/properties.ts';

const plain: LinkProperties = { latencyMs: 0, jitterMs: 0, lossRate: 0, rateBps: null };

/** The same numbers in every run (Park and Miller's generator). */
function seededRandom(seed = 42): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

function linkOf(properties: Partial<LinkProperties>, random = seededRandom()): EmulatedLink {
  return new EmulatedLink({ ...plain, ...properties }, random);
}

/** When packets of 100 bytes arrive that are sent at these instants; without the lost ones. */
function arrivals(link: EmulatedLink, instantsMs: readonly number[]): number[] {
  return instantsMs.map((nowMs) => link.arrivalMs(100, nowMs)).filter((ms) => ms !== undefined);
}

const everyMs = (count: number, fromMs = 0) => Array.from({ length: count }, (_, index) => fromMs + index);

describe('an emulated link', () => {
  it('delivers each packet after its latency when nothing else is asked', () => {
    const link = linkOf({ latencyMs: 7 });
    expect([link.arrivalMs(1500, 3), link.isConstant]).toEqual([10, true]);
  });

  it('loses its share of the packets, each direction of a path on its own', () => {
    const count = arrivals(linkOf({ lossRate: 0.25 }), everyMs(10_000)).length;
    // Four standard deviations.
    expect(Math.abs(count - 7500)).toBeLessThan(4 * Math.sqrt(10_000 * 0.25 * 0.75));
    expect(arrivals(linkOf({ lossRate: 1 }), everyMs(1000))).toEqual([]);
    expect(arrivals(linkOf({ lossRate: 0 }), everyMs(1000))).toHaveLength(1000);
  });

  it('draws latencies uniformly from the range that the jitter allows', () => {
    const jittery = linkOf({ latencyMs: 20, jitterMs: 5 });
    const latencies = everyMs(10_000).map((nowMs, index) => arrivals(jittery, [nowMs])[0]! - index);
    expect([Math.min(...latencies) >= 15, Math.max(...latencies) <= 25]).toEqual([true, true]);
    const quarters = [15, 17.5, 20, 22.5].map((from) => latencies.filter((ms) => ms >= from && ms < from + 2.5).length);
    for (const count of quarters) expect(Math.abs(count - 2500)).toBeLessThan(200);
  });

  it('reorders packets by jitter only if they follow each other more closely than twice the jitter', () => {
    const close = arrivals(linkOf({ latencyMs: 20, jitterMs: 5 }), everyMs(1000));
    expect(isInOrder(close)).toBe(false);
    const apart = arrivals(
      linkOf({ latencyMs: 20, jitterMs: 5 }),
      everyMs(1000).map((ms) => 10 * ms),
    );
    expect(isInOrder(apart)).toBe(true);
  });

  it('sends one packet after the other at a limited rate', () => {
    // 1,000 bytes take 8 ms.
    const link = linkOf({ rateBps: 1_000_000 });
    expect([0, 0, 0, 100].map((nowMs) => link.arrivalMs(1000, nowMs))).toEqual([8, 16, 24, 108]);
  });

  it('drops packets while its queue has more than 100 ms', () => {
    const link = linkOf({ rateBps: 1_000_000 });
    const sent = Array.from({ length: 20 }, () => link.arrivalMs(1000, 0));
    expect(sent.filter((at) => at !== undefined)).toEqual(Array.from({ length: 13 }, (_, index) => 8 * (index + 1)));
    expect(link.arrivalMs(1000, 50)).toBe(112);
  });
});

describe('a changed link', () => {
  it('lets later packets wait for those that are under way, then has its new latency', () => {
    const link = linkOf({ latencyMs: 50 });
    expect(link.arrivalMs(100, 0)).toBe(50);
    link.change({ ...plain, latencyMs: 10 });
    expect([1, 39, 45].map((nowMs) => link.arrivalMs(100, nowMs))).toEqual([50, 50, 55]);
  });

  it('does not wait when nothing is under way', () => {
    const link = linkOf({ latencyMs: 50 });
    link.change({ ...plain, latencyMs: 10 });
    expect(link.arrivalMs(100, 0)).toBe(10);
  });

  it('stays constant when only its loss changes', () => {
    const link = linkOf({ latencyMs: 50 });
    link.change({ ...plain, latencyMs: 50, lossRate: 1 });
    expect([link.isConstant, link.arrivalMs(100, 0)]).toEqual([true, undefined]);
  });

  it('delivers the queue of its old rate before anything that came later', () => {
    const link = linkOf({ rateBps: 1_000_000 });
    expect([0, 0].map((nowMs) => link.arrivalMs(1000, nowMs))).toEqual([8, 16]);
    link.change(plain);
    expect([link.arrivalMs(1000, 1), link.arrivalMs(1000, 20)]).toEqual([16, 20]);
  });

  it('never makes a later packet overtake an earlier one, whatever changes, without jitter', () => {
    const change = fc.record({
      latencyMs: fc.integer({ min: 0, max: 50 }),
      lossRate: fc.constantFrom(0, 0.3),
      rateBps: fc.constantFrom(null, 50_000, 1_000_000),
    });
    const step = fc.record({ afterMs: fc.integer({ min: 0, max: 9 }), change: fc.option(change, { freq: 5 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const link = linkOf({ latencyMs: 20 });
        let nowMs = 0;
        const arrived: number[] = [];
        for (const { afterMs, change } of steps) {
          nowMs += afterMs;
          if (change !== null) link.change({ ...plain, ...change });
          arrived.push(...arrivals(link, [nowMs]));
        }
        expect(isInOrder(arrived)).toBe(true);
      }),
    );
  });

  it('never makes a packet overtake one that was sent before the change, with jitter either', () => {
    const link = linkOf({ latencyMs: 40, jitterMs: 40 });
    const before = arrivals(link, everyMs(200));
    link.change({ ...plain, latencyMs: 5, jitterMs: 5 });
    const after = arrivals(link, everyMs(200, 200));
    expect(Math.min(...after)).toBeGreaterThanOrEqual(Math.max(...before));
  });
});

function isInOrder(instantsMs: readonly number[]): boolean {
  return instantsMs.every((ms, index) => index === 0 || ms >= instantsMs[index - 1]!);
}
