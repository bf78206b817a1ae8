import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { safeWindow, strictLossMs } from '../../../src/planning/loss/strict.ts';
import { timingUncertainty } from '../../../src/planning/loss/uncertainty.ts';
import { sendPackets } from '../packets.ts';

const latencyMs = fc.integer({ min: 0, max: 60 });
const differenceMs = fc.integer({ min: -90, max: 90 });
const errorMs = fc.integer({ min: 0, max: 15 });

function timingOf([clockMs, latenessMs]: [number, number]) {
  return { clockMs, latenessMs, gateLatenessMs: 0 };
}

describe('strictLossMs', () => {
  test.each([
    [240, 160, 0, 240],
    [240, 160, 100, 140],
    [240, 160, 160, 80],
    [240, 160, 200, 80],
    [240, 160, 240, 80],
    [240, 160, 300, 140],
    [20, 60, 40, 0],
    [20, 60, 0, 20],
    [20, 60, 75, 15],
    [20, 60, -40, 60],
    [-5, 10, 3, 0],
    [-5, -10, 0, 10],
  ])('strictLossMs with old %d ms, new %d ms, difference %d ms returns %d ms', (oldMs, newMs, differenceMs, lost) => {
    expect(strictLossMs({ oldMs, newMs, differenceMs })).toBe(lost);
  });

  test('strictLossMs equals the loss of a packet-level simulation, which reorders nothing', () => {
    fc.assert(
      fc.property(latencyMs, latencyMs, differenceMs, (oldMs, newMs, differenceMs) => {
        const flow = { source: { redirectedAt: 0 }, destination: { redirectedAt: differenceMs }, oldMs, newMs };
        expect(sendPackets(flow, 'strict', -200, 200)).toEqual({
          lostMs: strictLossMs({ oldMs, newMs, differenceMs }),
          reorderedMs: 0,
          maxHeldMs: 0,
        });
      }),
    );
  });

  test('the two directions of a pair together lose at least the sum of both old latencies', () => {
    fc.assert(
      fc.property(fc.array(latencyMs, { minLength: 4, maxLength: 4 }), differenceMs, (latencies, differenceMs) => {
        const [old1, new1, old2, new2] = latencies as [number, number, number, number];
        const there = strictLossMs({ oldMs: old1, newMs: new1, differenceMs });
        const back = strictLossMs({ oldMs: old2, newMs: new2, differenceMs: -differenceMs });
        expect(there + back).toBeGreaterThanOrEqual(old1 + old2);
      }),
    );
  });

  test('strictLossMs with a timing is exactly the worst case of clock errors and lateness', () => {
    const gateway = fc.tuple(errorMs, errorMs);
    fc.assert(
      fc.property(latencyMs, latencyMs, differenceMs, gateway, gateway, (oldMs, newMs, differenceMs, s, d) => {
        const worst = strictLossMs({ oldMs, newMs, differenceMs }, timingUncertainty(timingOf(s), timingOf(d)));
        const losses = extremes(s).flatMap((source) =>
          extremes(d).map((destination) => {
            const destinationAt = differenceMs + destination;
            const flow = {
              source: { redirectedAt: source },
              destination: { redirectedAt: destinationAt },
              oldMs,
              newMs,
            };
            return sendPackets(flow, 'strict', -250, 250).lostMs;
          }),
        );
        expect(Math.max(...losses)).toBe(worst);
      }),
    );
  });
});

/** A redirection comes from `clock` early to `clock + lateness` late; the loss is convex, so the ends are the worst. */
function extremes([clock, lateness]: [number, number]): number[] {
  return [-clock, clock + lateness];
}

describe('safeWindow', () => {
  test('the safe window lies between the two latencies, narrowed by the timing', () => {
    const timing = timingUncertainty(timingOf([1, 4]), timingOf([2, 6]));
    expect(timing).toEqual({ earlyMs: 7, lateMs: 9, widestMs: 9 });
    expect(safeWindow({ oldMs: 20, newMs: 60 }, timing)).toEqual({ fromMs: 27, toMs: 51, empty: false });
    expect(safeWindow({ oldMs: 60, newMs: 20 }, timing)).toEqual({ fromMs: 27, toMs: 51, empty: false });
    expect(safeWindow({ oldMs: 20, newMs: 35 }, timing)).toEqual({ fromMs: 27, toMs: 26, empty: true });
  });

  test('the safe window is never empty without uncertainty', () => {
    expect(safeWindow({ oldMs: 20, newMs: 20 })).toEqual({ fromMs: 20, toMs: 20, empty: false });
  });

  test('the safe window contains exactly the differences with the least loss, whatever the timing', () => {
    fc.assert(
      fc.property(
        latencyMs,
        latencyMs,
        differenceMs,
        errorMs,
        errorMs,
        (oldMs, newMs, differenceMs, earlyMs, lateMs) => {
          const timing = { earlyMs, lateMs };
          const window = safeWindow({ oldMs, newMs }, timing);
          const safe = differenceMs >= window.fromMs && differenceMs <= window.toMs;
          const worst = strictLossMs({ oldMs, newMs, differenceMs }, timing);
          expect(worst === Math.max(0, oldMs - newMs)).toBe(safe);
        },
      ),
    );
  });
});
