import fc from 'fast-check';
import { expect, test } from 'vitest';
import { overtakenMs } from '../../../src/planning/loss/feasible.ts';
import { sendPackets, stepMs } from '../packets.ts';

test('a simulation under feasible uRPF loses nothing and reorders overtakenMs, whatever the difference', () => {
  const latencyMs = fc.integer({ min: 0, max: 60 });
  fc.assert(
    fc.property(latencyMs, latencyMs, fc.integer({ min: -90, max: 90 }), (oldMs, newMs, redirectedAt) => {
      const flow = { source: { redirectedAt: 0 }, destination: { redirectedAt }, oldMs, newMs };
      const observed = sendPackets(flow, 'feasible', -200, 200);
      expect(observed.lostMs).toBe(0);
      expect(Math.abs(observed.reorderedMs - overtakenMs({ oldMs, newMs }))).toBeLessThanOrEqual(stepMs);
    }),
  );
});
