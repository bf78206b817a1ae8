import { describe, expect, it } from 'vitest';
import { createSystemClock, steadyClock } from '../../src/clock/clock.ts';

/** A machine whose time advances by 10 us with every reading of a clock. */
function machine(startWallMs: number) {
  const time = { monotonicMs: 5000, offsetMs: startWallMs - 5000 };
  const tick = () => {
    time.monotonicMs += 0.01;
    return time.monotonicMs;
  };
  return {
    sources: { dateNow: () => Math.floor(tick() + time.offsetMs), monotonicMs: tick },
    wallMs: () => time.monotonicMs + time.offsetMs,
    pass: (ms: number) => {
      time.monotonicMs += ms;
    },
    set: (byMs: number) => {
      time.offsetMs += byMs;
    },
  };
}

describe('createSystemClock', () => {
  it('the system clock gives Unix time with fractions of a millisecond', () => {
    const { sources, wallMs, pass } = machine(1_700_000_000_000.4);
    const clock = createSystemClock(0, sources);
    for (let step = 0; step < 100; step += 1) {
      expect(Math.abs(clock.wallMs() - wallMs())).toBeLessThan(0.05);
      pass(0.37);
    }
  });

  it.each([3_600_000.3, -3_600_000.7, 5, -2.5])('the system clock follows when the time is set by %d ms', (byMs) => {
    const { sources, wallMs, set } = machine(1_700_000_000_000);
    const clock = createSystemClock(0, sources);
    clock.wallMs();
    set(byMs);
    expect(Math.abs(clock.wallMs() - wallMs())).toBeLessThan(0.05);
  });

  it('the system clock corrects a step of less than a millisecond with every reading', () => {
    const { sources, wallMs, set, pass } = machine(1_700_000_000_000);
    const clock = createSystemClock(0, sources);
    clock.wallMs();
    set(0.9);
    for (let look = 0; look < 300; look += 1) {
      expect(Math.abs(clock.wallMs() - wallMs())).toBeLessThan(1);
      pass(0.37);
    }
    expect(Math.abs(clock.wallMs() - wallMs())).toBeLessThan(0.1);
  });

  it('the system clock is right from the first reading, wherever that is interrupted', () => {
    for (let look = 0; look < 250; look += 1) {
      const { sources, wallMs, pass } = machine(1_700_000_000_000.4);
      let looks = 0;
      const interrupted = (time: () => number) => () => {
        const now = time();
        looks += 1;
        if (looks === look) pass(0.7);
        return now;
      };
      const clock = createSystemClock(0, {
        dateNow: interrupted(sources.dateNow),
        monotonicMs: interrupted(sources.monotonicMs),
      });
      clock.wallMs();
      expect(Math.abs(clock.wallMs() - wallMs())).toBeLessThan(0.05);
    }
  });

  it('the monotonic time of the system clock does not step', () => {
    const { sources, set } = machine(1_700_000_000_000);
    const clock = createSystemClock(0, sources);
    const before = clock.monotonicMs();
    set(-1e9);
    expect(clock.monotonicMs() - before).toBeCloseTo(0.01);
  });

  it('a skew shifts the wall clock, for tests', () => {
    const { sources, wallMs } = machine(1_700_000_000_000);
    const clock = createSystemClock(250.5, sources);
    expect(clock.wallMs() - wallMs()).toBeCloseTo(250.5, 1);
  });

  it('the system clock agrees with Date.now() on this machine', () => {
    const clock = createSystemClock();
    const before = Date.now();
    const wallMs = clock.wallMs();
    expect(wallMs).toBeGreaterThan(before - 1);
    expect(wallMs).toBeLessThan(Date.now() + 2);
  });
});

describe('steadyClock', () => {
  it('a steady clock ignores that the system clock is set', () => {
    const { sources, wallMs, pass, set } = machine(1_700_000_000_000);
    const steady = steadyClock(createSystemClock(0, sources));
    expect(Math.abs(steady.wallMs() - wallMs())).toBeLessThan(0.1);
    set(3_600_000);
    pass(500);
    expect(Math.abs(steady.wallMs() + 3_600_000 - wallMs())).toBeLessThan(0.1);
    expect(steady.monotonicMs() - sources.monotonicMs()).toBeCloseTo(0, 1);
  });

  it('a steady clock ignores an interrupted reading', () => {
    let ms = 0;
    const stops = [40, 0, 0, 9, 0];
    const clock = { monotonicMs: () => ms, wallMs: () => 1000 + ms };
    const interrupted = {
      monotonicMs: clock.monotonicMs,
      wallMs: () => {
        const wall = clock.wallMs();
        ms += stops.shift() ?? 0;
        return wall;
      },
    };
    const steady = steadyClock(interrupted);
    expect(steady.wallMs()).toBe(clock.wallMs());
  });
});
