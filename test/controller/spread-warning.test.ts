import { expect, test } from 'vitest';
import { spreadWarning, unsteadyPath } from '../../src/controller/migration/spread-warning.ts';

const flow = {
  from: 'e1',
  to: 'e2',
  oldLatencyMs: 478,
  newLatencyMs: 162,
  oldSpreadMs: 238,
  newSpreadMs: 0,
  predictedLost: 40.31,
  worstLost: 70.7,
};

test('a flow with steady latencies has no warning', () => {
  expect(spreadWarning({ ...flow, oldSpreadMs: 0 })).toBeUndefined();
  expect(spreadWarning({ ...flow, oldLatencyMs: null })).toBeUndefined();
});

test('a flow whose probes spread too far has a warning with the spread and its effect on the predicted loss', () => {
  expect(spreadWarning(flow)).toBe(
    'e1 -> e2: latency not steady on the old path (median 478.0 ms, shortest 240.0 ms): predicted loss 40.3 packets, at worst 70.7; the nodes or the path are busy; repeat at a quieter time',
  );
  expect(spreadWarning({ ...flow, newSpreadMs: 20 })).toContain(
    'on the old path (median 478.0 ms, shortest 240.0 ms) and the new path (median 162.0 ms, shortest 142.0 ms): predicted',
  );
});

test('a measured path whose probes spread too far has a warning', () => {
  const path = {
    from: 'g1',
    to: 'g2',
    minMs: 240,
    medianMs: 478,
    jitterMs: 700,
    spreadMs: 238,
    isSteady: false,
    probes: 200,
    lost: 0,
    clockBoundMs: 1,
    basis: 'one-way' as const,
    reportedMs: { min: 240, median: 478 },
  };
  expect(unsteadyPath({ ...path, isSteady: true })).toBeUndefined();
  expect(unsteadyPath(path)).toBe(
    'g1 -> g2: latency not steady, median 238.0 ms above the shortest of 200 probes; the nodes or the path are busy; repeat at a quieter time',
  );
});
