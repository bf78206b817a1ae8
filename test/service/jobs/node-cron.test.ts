/** Tests with the real node-cron, which runs on fake timers here. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemJobClock } from '../../../src/service/jobs/clock.ts';
import { dueBetween } from '../../../src/service/jobs/due.ts';
import { createWorld, type World } from './world.ts';

const hourMs = 3_600_000;
const places = [
  ['Europe/Paris', '2026-03-28T22:00:00Z'],
  ['Europe/Paris', '2026-10-24T22:00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T12:00:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T12:00:00Z'],
] as const;
let world: World;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: Date.parse('2026-06-01T00:00:00Z') });
});

afterEach(() => {
  vi.useRealTimers();
});

test('node-cron calls when a pattern with seconds is due', async () => {
  const at: number[] = [];
  const began = Date.now();
  const started = systemJobClock.start({ cron: '*/20 * * * * *', at: null, timezone: 'UTC' }, () =>
    at.push(Date.now() - began),
  );
  expect(started.next()).toBe(began + 20_000);
  await vi.advanceTimersByTimeAsync(61_000);
  started.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(at).toEqual([20_000, 40_000, 60_000]);
});

describe.each(places)('in %s from %s', (timezone, from) => {
  beforeEach(() => {
    vi.setSystemTime(from);
    world = createWorld({ time: systemJobClock });
  });

  afterEach(() => {
    expect(world.errors).toEqual([]);
    world.close();
  });

  test('every run starts when it is due, also those that node-cron omits', async () => {
    const patterns = ['*/10 * * * *', '45 * * * *', '10,45 1,2 * * *', '30 2 * * *'];
    patterns.forEach((cron, index) => {
      world.add({ name: `j${index}`, cron, timezone });
    });
    world.start();
    await vi.advanceTimersByTimeAsync(10 * hourMs);
    patterns.forEach((cron, index) => {
      const begun = world.begun.filter(({ job }) => job === `j${index}`).map(({ atMs }) => atMs);
      const due = dueBetween({ cron, at: null, timezone }, Date.parse(from), Date.parse(from) + 10 * hourMs);
      expect(due.length).toBeGreaterThan(0);
      expect(begun).toEqual(due);
    });
    await world.stop();
  });
});
