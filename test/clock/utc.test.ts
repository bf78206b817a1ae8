import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundAt, driftRate } from '../../src/clock/exchange.ts';
import { estimatesByUtc, type UtcReading } from '../../src/clock/utc.ts';

function reading(kind: UtcReading['kind'], name: string, offsetMs: number, boundMs: number): UtcReading {
  return { kind, name, offsetMs, boundMs };
}

describe('estimatesByUtc', () => {
  it('estimatesByUtc subtracts the offsets, and adds both bounds and the time between the readings', () => {
    const here = [reading('ntp', 'a', 30, 2)];
    const there = [reading('ntp', 'a', 110, 3)];
    expect(estimatesByUtc(here, there, { fromMs: 1000, toMs: 3000 })).toEqual([
      { offsetMs: 80, boundMs: 5 + 0.1, measuredAtMs: 1000, source: 'ntp' },
    ]);
  });

  it('estimatesByUtc compares an NTP server only with itself, and chrony with chrony', () => {
    const here = [reading('ntp', 'a', 0, 1), reading('ntp', 'b', 0, 1), reading('chrony', '192.0.2.1', 0, 1)];
    const there = [reading('ntp', 'b', 1, 1), reading('ntp', 'c', 2, 1), reading('chrony', '192.0.2.2', 3, 1)];
    const estimates = estimatesByUtc(here, there, { fromMs: 0, toMs: 0 });
    expect(estimates.map(({ source, offsetMs }) => [source, offsetMs])).toEqual([
      ['ntp', 1],
      ['chrony', 3],
    ]);
  });

  it('an estimate by UTC is within its bound at any later time', () => {
    const ms = fc.double({ min: 0, max: 1e5, noNaN: true });
    const offset = fc.double({ min: -1e7, max: 1e7, noNaN: true });
    const share = fc.double({ min: -1, max: 1, noNaN: true });
    /**
     * A clock with its offset from UTC at time 0, its drift, the time of its reading, and the error of that reading in
     * parts of its bound.
     */
    const machine = fc.record({ offset, drift: share, readAt: ms, bound: ms, error: share });
    fc.assert(
      fc.property(machine, machine, ms, (here, there, ageMs) => {
        // Any two clocks, including UTC, differ in speed by no more than the assumed rate.
        const [driftHere, driftThere] = [(here.drift * driftRate) / 2, (there.drift * driftRate) / 2];
        const read = (clock: typeof here, drift: number) =>
          reading('chrony', '', clock.offset + drift * clock.readAt + clock.error * clock.bound, clock.bound);
        const period = { fromMs: Math.min(here.readAt, there.readAt), toMs: Math.max(here.readAt, there.readAt) };
        const [estimate] = estimatesByUtc([read(here, driftHere)], [read(there, driftThere)], period);
        const nowMs = period.toMs + ageMs;
        const trueMs = there.offset - here.offset + (driftThere - driftHere) * nowMs;
        expect(Math.abs(estimate!.offsetMs - trueMs)).toBeLessThanOrEqual(boundAt(estimate!, nowMs) + 1e-6);
      }),
    );
  });
});
