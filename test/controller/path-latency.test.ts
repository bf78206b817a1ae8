import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latencyBasis, type ProbedPath, pathLatency, steadiestRound } from '../../src/controller/probe/path-latency.ts';

/**
 * Probes over paths of `latencyMs`, where the clocks of the two nodes differ by `skewMs` and are known to be
 * `estimatedMs` apart.
 */
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
    report: { received: 49, dropped: 0, delayMs: { min: raw - 1, median: raw, p99: raw + 4, max: raw + 9 } },
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
  ] as const)('the basis is %s with clocks within %d ms and half a round trip of %d ms', (basis, boundMs, halfMs) => {
    expect(latencyBasis(boundMs, halfMs)).toBe(basis);
  });
});

describe('pathLatency', () => {
  it('pathLatency removes the clock offsets from the one-way latency', () => {
    const { there, back } = pair(40, 60, 3_600_000, 0.25, 1);
    expect(pathLatency(there, back)).toEqual({
      from: 'a',
      to: 'b',
      minMs: 38.75,
      medianMs: 39.75,
      jitterMs: 5,
      spreadMs: 1,
      isSteady: true,
      probes: 50,
      lost: 1,
      clockBoundMs: 1,
      basis: 'one-way',
      reportedMs: { min: 38.75, median: 39.75 },
    });
  });

  it.each([-3_600_000, -700, 700, 3_600_000])(
    'pathLatency refuses probes during which a clock was set by %d ms',
    (stepMs) => {
      const { there, back } = pair(40, 60, 0, stepMs, 1);
      expect(() => pathLatency(there, back)).toThrow(
        'the clock of gateway a or b was set while latencies were measured',
      );
    },
  );

  it('pathLatency reports half the round trip if the clocks are too uncertain, and keeps one-way values for schedules', () => {
    const { there, back } = pair(40, 60, -3_600_000, 30, 30);
    expect(pathLatency(there, back)).toMatchObject({
      minMs: 9,
      medianMs: 10,
      clockBoundMs: 30,
      basis: 'half-round-trip',
      reportedMs: { min: 49, median: 50 },
    });
    // A latency may appear negative; schedules must get it unchanged.
    expect(pathLatency(back, there)).toMatchObject({ medianMs: 90, reportedMs: { median: 50 } });
  });

  it('pathLatency reports the one-way latency if no probe came back', () => {
    const { there, back } = pair(40, 60, 0, 30, 30);
    const silent = { ...back, report: { received: 0, dropped: 0 } };
    expect(pathLatency(there, silent)).toMatchObject({ basis: 'one-way', reportedMs: { median: 10 } });
    expect(pathLatency(silent, there)).toMatchObject({ basis: 'one-way', lost: 50, medianMs: Number.NaN });
  });

  it('pathLatency does not count probes that the receiving socket dropped as lost', () => {
    const { there, back } = pair(40, 60, 0, 0, 1);
    const report = { ...there.report, received: 40, dropped: 7 };
    expect(pathLatency({ ...there, report }, back)).toMatchObject({ probes: 50, lost: 3 });
    expect(pathLatency({ ...there, report: { ...report, dropped: 99 } }, back)).toMatchObject({ lost: 0 });
  });

  it('the error is at most the bound one way, and half the difference of the directions for half the round trip', () => {
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

/** A round of probes over a path of 240 ms. Half of them are late by up to `lateMs`; the clocks differ by an hour. */
function round(lateMs: number, shortestMs = 240): ProbedPath {
  const min = shortestMs + 3_600_000;
  const delayMs = { min, median: 240 + 3_600_000 + lateMs, p99: 240 + 3_600_000 + 3 * lateMs, max: min + 5 * lateMs };
  const report = { received: 50, dropped: 0, delayMs };
  return { from: 'a', to: 'b', probes: 50, report, correctionMs: -3_600_000, clockBoundMs: 1 };
}

describe('a path whose probes spread', () => {
  const back: ProbedPath = {
    ...round(1),
    correctionMs: 3_600_000,
    report: {
      received: 50,
      dropped: 0,
      delayMs: { min: 240 - 3_600_000, median: 241 - 3_600_000, p99: 250 - 3_600_000, max: 0 },
    },
  };

  it.each([
    [1, true],
    [12, true],
    [12.5, false],
    [238, false],
  ])('a spread of %d ms of 240 ms is steady: %s', (lateMs, isSteady) => {
    expect(pathLatency(round(lateMs), back)).toMatchObject({ medianMs: 240 + lateMs, spreadMs: lateMs, isSteady });
  });

  it('a path with a spread of at most 5 ms is always steady, and so is one over which nothing arrived', () => {
    const near = (lateMs: number) => {
      const path = { ...round(lateMs), correctionMs: -3_600_000 - 239 };
      const nearBack = { ...back, correctionMs: back.correctionMs - 239 };
      return pathLatency(path, { ...nearBack, report: { received: 0, dropped: 0 } });
    };
    expect(near(5)).toMatchObject({ minMs: 1, isSteady: true });
    expect(near(5.1)).toMatchObject({ isSteady: false });
    expect(pathLatency({ ...round(1), report: { received: 0, dropped: 0 } }, back)).toMatchObject({ isSteady: true });
  });

  it('steadiestRound takes the round with the smallest median, and the minimum of all probes', () => {
    const path = steadiestRound([round(238, 300), round(2, 240), round(100, 239)]);
    expect(pathLatency(path, back)).toMatchObject({
      minMs: 239,
      medianMs: 242,
      spreadMs: 3,
      isSteady: true,
      probes: 150,
      lost: 0,
    });
    const silent = { ...round(1), report: { received: 0, dropped: 2 } };
    expect(steadiestRound([silent, silent])).toMatchObject({ probes: 100, report: { received: 0, dropped: 4 } });
    expect(steadiestRound([silent, round(2)]).report.delayMs).toEqual(round(2).report.delayMs);
  });
});
