import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latencyBasis, type ProbedPath, pathLatency } from '../../src/controller/path-latency.ts';

/** Probes over paths of `latencyMs`, where the clocks of the two nodes differ by `skewMs` and are known to be `estimatedMs` apart. */
function probed(
  from: string,
  to: string,
  latencyMs: number,
  clocks: { skewMs: number; estimatedMs: number; boundMs: number },
): ProbedPath {
  const raw = latencyMs + clocks.skewMs;
  return {
    from,
    to,
    probes: 50,
    report: { received: 49, delayMs: { min: raw - 1, median: raw, p99: raw + 4, max: raw + 9 } },
    correctionMs: -clocks.estimatedMs,
    clockBoundMs: clocks.boundMs,
  };
}

function pair(thereMs: number, backMs: number, skewMs: number, errorMs: number, boundMs: number) {
  const estimatedMs = skewMs + errorMs;
  const there = probed('a', 'b', thereMs, { skewMs, estimatedMs, boundMs });
  const back = probed('b', 'a', backMs, { skewMs: -skewMs, estimatedMs: -estimatedMs, boundMs });
  return { there, back };
}

describe('latencyBasis', () => {
  it.each([
    ['one-way', 2, 1],
    ['one-way', 2, 0],
    ['half-round-trip', 2.01, 4],
    ['one-way', 2.01, 4.02],
    ['one-way', 20, 40],
    ['half-round-trip', 20.1, 40],
  ] as const)('%s with clocks within %d ms and half a round trip of %d ms', (basis, boundMs, halfMs) => {
    expect(latencyBasis(boundMs, halfMs)).toBe(basis);
  });
});

describe('pathLatency', () => {
  it('takes the clocks out of one way', () => {
    const { there, back } = pair(40, 60, 3_600_000, 0.25, 1);
    expect(pathLatency(there, back)).toEqual({
      from: 'a',
      to: 'b',
      minMs: 38.75,
      medianMs: 39.75,
      jitterMs: 5,
      probes: 50,
      lost: 1,
      clockBoundMs: 1,
      basis: 'one-way',
      reportedMs: { min: 38.75, median: 39.75 },
    });
  });

  it.each([-3_600_000, -700, 700, 3_600_000])('refuses what a clock that was set by %d ms has made', (stepMs) => {
    const { there, back } = pair(40, 60, 0, stepMs, 1);
    expect(() => pathLatency(there, back)).toThrow('the clock of gateway a or b was set while latencies were measured');
  });

  it('reports half the round trip where the clocks are too uncertain, and keeps one way for schedules', () => {
    const { there, back } = pair(40, 60, -3_600_000, 30, 30);
    expect(pathLatency(there, back)).toMatchObject({
      minMs: 9,
      medianMs: 10,
      clockBoundMs: 30,
      basis: 'half-round-trip',
      reportedMs: { min: 49, median: 50 },
    });
    // A path may seem to take less than no time; a schedule must see it so.
    expect(pathLatency(back, there)).toMatchObject({ medianMs: 90, reportedMs: { median: 50 } });
  });

  it('reports what is one way where nothing came back', () => {
    const { there, back } = pair(40, 60, 0, 30, 30);
    const silent = { ...back, report: { received: 0 } };
    expect(pathLatency(there, silent)).toMatchObject({ basis: 'one-way', reportedMs: { median: 10 } });
    expect(pathLatency(silent, there)).toMatchObject({ basis: 'one-way', lost: 50, medianMs: Number.NaN });
  });

  it('is off by no more than the bound one way, and by half the difference of the ways in half the round trip', () => {
    const ms = fc.double({ min: 0, max: 1000, noNaN: true });
    const skew = fc.double({ min: -1e7, max: 1e7, noNaN: true });
    fc.assert(
      fc.property(
        ms,
        ms,
        skew,
        ms,
        fc.double({ min: -1, max: 1, noNaN: true }),
        (thereMs, backMs, skewMs, bound, share) => {
          const { there, back } = pair(thereMs, backMs, skewMs, share * bound, bound);
          const { basis, medianMs, reportedMs } = pathLatency(there, back);
          expect(Math.abs(medianMs - thereMs)).toBeLessThanOrEqual(bound + 1e-6);
          const allowed = basis === 'one-way' ? bound : Math.abs(thereMs - backMs) / 2;
          expect(Math.abs(reportedMs.median - thereMs)).toBeLessThanOrEqual(allowed + 1e-6);
        },
      ),
    );
  });
});
