import { describe, expect, it } from 'vitest';
import { type LinkMeasurement, measurementOf, planProbes } from '../../../src/testbed/links/probe-job.ts';
import { probeEnds, probeNumber, probePacket } from '../../../src/testbed/links/probe-packet.ts';

const asked = { latencyMs: 20, jitterMs: 5, lossRate: 0, rateBps: null };
const ends = { from: 0, to: 1 };

function planned(rateBps: number | null, links = 1) {
  return planProbes(
    Array.from({ length: links }, () => ({ ...ends, asked: { ...asked, rateBps } })),
    100,
  );
}

describe('the plan of probes', () => {
  it('waits for the slowest packet, and sends no burst without a rate', () => {
    expect(planned(null)).toEqual({ count: 100, intervalMs: 10, patienceMs: 1125, links: [ends] });
  });

  it('sends two probes in a ms over all links together at most', () => {
    expect(planned(null, 90).intervalMs).toBe(45);
  });

  it('takes a quarter of a low rate at most', () => {
    // 64 bytes take 51.2 ms.
    expect(planned(10_000).intervalMs).toBeCloseTo(204.8);
  });

  it.each([
    // A second packet would find no room in the queue.
    [5_000, undefined],
    [10_000, { packets: 2, bytes: 64 }],
    [1_000_000, { packets: 20, bytes: 500 }],
    [10_000_000, { packets: 71, bytes: 1400 }],
    [1_000_000_000, { packets: 100, bytes: 1400 }],
  ])('at %d bit/s a burst is %j', (rateBps, burst) => {
    expect(planned(rateBps).links[0]!.burst).toEqual(burst);
  });
});

describe('a measurement', () => {
  function measured(sent: number, latenciesMs: readonly number[]): LinkMeasurement {
    return measurementOf(ends, { sent, latenciesMs, burstAtMs: [] });
  }

  it('has the least, the middle and the greatest latency of the packets that arrived', () => {
    expect(measured(4, [9, 1, 2, 4]).latencyMs).toEqual({ min: 1, median: 3, max: 9 });
    expect(measured(4, [9, 1, 2]).latencyMs).toEqual({ min: 1, median: 2, max: 9 });
    expect(measured(4, [])).toMatchObject({ sent: 4, received: 0, latencyMs: null });
  });

  it.each([
    // Wilson's interval; checked against Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    [263, 81, 0.2553, 0.3662],
    [148, 15, 0.0624, 0.1605],
    [20, 0, 0, 0.1611],
    [29, 1, 0.0061, 0.1718],
  ])('of %d packets with %d lost has the 95 %% interval %d to %d', (sent, lost, low, high) => {
    const { lossRate } = measured(
      sent,
      Array.from({ length: sent - lost }, () => 1),
    );
    expect([lossRate.value, lossRate.low.toFixed(4), lossRate.high.toFixed(4)]).toEqual([
      lost / sent,
      low.toFixed(4),
      high.toFixed(4),
    ]);
  });

  it('has the rate at which a burst arrived after its first packet', () => {
    const burst = { packets: 5, bytes: 1000 };
    const rate = (burstAtMs: number[]) =>
      measurementOf({ ...ends, burst }, { sent: 1, latenciesMs: [], burstAtMs }).rate;
    expect(rate([50, 58, 66, 74])).toEqual({ bps: 1_000_000, sent: 5, received: 4 });
    expect(rate([50])).toEqual({ bps: null, sent: 5, received: 1 });
    expect(rate([])).toEqual({ bps: null, sent: 5, received: 0 });
  });
});

describe('a probe', () => {
  it('says its link and its number', () => {
    const data = probePacket({ from: 3, to: 999, number: 70_000 }, 64);
    expect([data.length, probeEnds(data, 1000), probeNumber(data)]).toEqual([64, { from: 3, to: 999 }, 70_000]);
  });

  it('is no other packet, and names no node that there is not', () => {
    expect(probeEnds(probePacket({ from: 3, to: 999, number: 1 }, 64), 999)).toBeUndefined();
    expect(probeEnds(Buffer.alloc(63), 9)).toBeUndefined();
  });
});
