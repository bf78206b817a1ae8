import { describe, expect, test } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import { checkFlowPaths, flowPath } from '../../../src/planning/loss/flow-path.ts';
import { flowOf } from '../arbitraries.ts';

const path = { source: 'g1', destination: 'g2', oldMs: 240, newMs: 160 };

describe('flowPath', () => {
  test('flowPath converts 1.5 Mb/s of 1470-byte payloads to 127.6 packets/s; the weight is rate x priority', () => {
    const flow = flowPath({ from: 'e1', to: 'e2', rateBps: 1.5e6, priority: 2 }, path);
    expect(flow.ratePerMs).toBeCloseTo(0.12755, 5);
    expect(flow.ratePerMs * 80).toBeCloseTo(10.2, 2);
    expect(flow).toEqual({
      ...path,
      from: 'e1',
      to: 'e2',
      ratePerMs: flow.ratePerMs,
      weight: 2 * flow.ratePerMs,
      packetBytes: 1512,
    });
  });

  test('flowPath uses the payload that the flow declares', () => {
    const flow = flowPath({ from: 'e1', to: 'e2', rateBps: 8e6, priority: 1, payloadBytes: 100 }, path);
    expect([flow.ratePerMs, flow.packetBytes]).toEqual([10, 142]);
  });
});

describe('checkFlowPaths', () => {
  const good = flowOf('g1', 'g2', -3, 0, 0);

  test('checkFlowPaths accepts negative latencies and a rate of 0', () => {
    expect(checkFlowPaths([{ ...good, ratePerMs: 0 }], ['g1', 'g2'])).toBeUndefined();
  });

  test.each([
    [{ ...good, oldMs: Number.NaN }, 'flow host-g1 -> host-g2: oldMs is NaN'],
    [{ ...good, newMs: Number.POSITIVE_INFINITY }, 'flow host-g1 -> host-g2: newMs is Infinity'],
    [{ ...good, ratePerMs: -1 }, 'flow host-g1 -> host-g2: ratePerMs is negative (-1)'],
    [{ ...good, weight: -1 }, 'flow host-g1 -> host-g2: weight is negative (-1)'],
    [{ ...good, destination: 'g3' }, "flow host-g1 -> host-g2: gateway 'g3' is not among the gateways (g1, g2)"],
  ])('checkFlowPaths refuses an invalid flow (%#)', (flow, message) => {
    expect(() => checkFlowPaths([good, flow], ['g1', 'g2'])).toThrow(new VnmError('invalid-input', message));
  });
});
