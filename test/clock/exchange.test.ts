import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, steadyClock } from '../../src/clock/clock.ts';
import {
  agree,
  bestEstimate,
  boundAt,
  type ClockEstimate,
  driftRate,
  estimateByExchanges,
  estimateFrom,
} from '../../src/clock/exchange.ts';

/** The rounding error of sums of this size. */
const rounding = 1e-6;

const delayMs = fc.double({ min: 0, max: 500, noNaN: true });
const offsetMs = fc.double({ min: -1e7, max: 1e7, noNaN: true });
const drift = fc.double({ min: -driftRate, max: driftRate, noNaN: true });

function estimate(fields: Partial<ClockEstimate>): ClockEstimate {
  return { offsetMs: 0, boundMs: 1, measuredAtMs: 0, source: 'exchange', ...fields };
}

describe('estimateFrom', () => {
  it('estimateFrom returns the middle, with half the round trip as the bound', () => {
    const exchange = { sentMs: 1000, remoteReceivedMs: 5030, remoteSentMs: 5032, receivedMs: 1042 };
    expect(estimateFrom(exchange, 77)).toEqual({ offsetMs: 4010, boundMs: 20, measuredAtMs: 77, source: 'exchange' });
  });

  it('an estimate is within its bound, whatever the delays are', () => {
    fc.assert(
      fc.property(offsetMs, delayMs, delayMs, delayMs, (trueMs, thereMs, workMs, backMs) => {
        const exchange = {
          sentMs: 0,
          remoteReceivedMs: thereMs + trueMs,
          remoteSentMs: thereMs + workMs + trueMs,
          receivedMs: thereMs + workMs + backMs,
        };
        const { offsetMs, boundMs } = estimateFrom(exchange, 0);
        expect(Math.abs(offsetMs - trueMs)).toBeLessThanOrEqual(boundMs + rounding);
      }),
    );
  });

  it('an estimate stays within its bound while the clocks drift apart, before and after the answer', () => {
    fc.assert(
      fc.property(
        fc.record({ offsetMs, thereMs: delayMs, workMs: delayMs, backMs: delayMs, during: drift, after: drift }),
        fc.double({ min: 0, max: 1e8, noNaN: true }),
        ({ offsetMs: startMs, thereMs, workMs, backMs, during, after }, ageMs) => {
          const endMs = thereMs + workMs + backMs;
          const trueAt = (ms: number) => startMs + during * Math.min(ms, endMs) + after * Math.max(0, ms - endMs);
          const remote = (ms: number) => ms + trueAt(ms);
          const exchange = {
            sentMs: 0,
            remoteReceivedMs: remote(thereMs),
            remoteSentMs: remote(thereMs + workMs),
            receivedMs: endMs,
          };
          const measured = estimateFrom(exchange, 0);
          const nowMs = endMs + ageMs;
          const error = Math.abs(measured.offsetMs - trueAt(nowMs));
          expect(error).toBeLessThanOrEqual(boundAt(measured, nowMs) + rounding);
        },
      ),
    );
  });
});

describe('boundAt', () => {
  it('a bound grows by 50 parts per million of the age, and does not shrink before the measurement', () => {
    const measured = estimate({ boundMs: 2, measuredAtMs: 1000 });
    expect(boundAt(measured, 61_000)).toBeCloseTo(5, 9);
    expect(boundAt(measured, 0)).toBe(2);
  });
});

describe('bestEstimate', () => {
  it('bestEstimate weighs age against bound', () => {
    const old = estimate({ boundMs: 1, measuredAtMs: 0 });
    const fresh = estimate({ boundMs: 2, measuredAtMs: 60_000 });
    expect(bestEstimate([old, fresh], 10_000)).toBe(old);
    expect(bestEstimate([old, fresh], 60_000)).toBe(fresh);
  });

  it('bestEstimate needs a sample', () => {
    expect(() => bestEstimate([], 0)).toThrow(new RangeError('no clock samples'));
  });
});

describe('agree', () => {
  it('two estimates agree as long as their bounds touch, and again when these have grown', () => {
    const one = estimate({ offsetMs: 10, boundMs: 1 });
    const other = estimate({ offsetMs: 14, boundMs: 2 });
    expect(agree(one, estimate({ offsetMs: 13, boundMs: 2 }), 0)).toBe(true);
    expect(agree(one, other, 0)).toBe(false);
    expect(agree(other, one, 20_000)).toBe(true);
  });
});

/** Two machines in simulated time; every reading of a clock takes 1 us. */
function machines(offsetMs: number) {
  const time = { ms: 0, setByMs: 0 };
  const pass = (ms: number) => {
    time.ms += ms;
    return time.ms;
  };
  const clock: Clock = { monotonicMs: () => pass(0.001), wallMs: () => 5000 + pass(0.001) + time.setByMs };
  return {
    clock,
    pass,
    set: (byMs: number) => {
      time.setByMs += byMs;
    },
    /** By the other machine's clock. */
    otherMs: () => 5000 + offsetMs + time.ms,
  };
}

describe('estimateByExchanges', () => {
  const ways = fc.array(fc.tuple(delayMs, delayMs), { minLength: 4, maxLength: 64 });

  it('an estimate by exchanges is within its bound even if this clock is set during an exchange', async () => {
    await fc.assert(
      fc.asyncProperty(offsetMs, ways, fc.nat(3), offsetMs, async (trueMs, delays, when, setByMs) => {
        const { clock, pass, set, otherMs } = machines(trueMs);
        let asked = 0;
        const ask = async () => {
          const [thereMs, backMs] = delays[asked % delays.length]!;
          if (asked === when) set(setByMs);
          asked += 1;
          pass(thereMs);
          const now = otherMs();
          pass(backMs);
          return { receivedAt: now, sentAt: now };
        };
        const { offsetMs, boundMs } = await estimateByExchanges(ask, steadyClock(clock));
        expect(Math.abs(offsetMs - trueMs)).toBeLessThanOrEqual(boundMs + 0.01);
      }),
    );
  });

  it.each([
    ['sixty-four exchanges when they are quick', 2, 64],
    ['as many exchanges as fit when they are slow', 20, 15],
    ['at least four exchanges', 3000, 4],
  ])('estimateByExchanges makes %s', async (_, roundTripMs, expected) => {
    const { clock, pass, otherMs } = machines(0);
    let asked = 0;
    const ask = async () => {
      asked += 1;
      pass(roundTripMs);
      return { receivedAt: otherMs(), sentAt: otherMs() };
    };
    await estimateByExchanges(ask, clock);
    expect(asked).toBe(expected);
  });
});
