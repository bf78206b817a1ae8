import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dueBetween, newestDue, nextDue, type Timing } from '../../../src/service/jobs/due.ts';
import { parsePattern } from '../../../src/service/jobs/pattern.ts';
import { localZone, zoneOf } from '../../../src/service/jobs/zone.ts';
import { naiveDue, naivePattern } from './naive.ts';

const hourMs = 3_600_000;
const timing = (cron: string, timezone: string): Timing => ({ cron, at: null, timezone });
const between = (cron: string, timezone: string, from: string, to: string) =>
  dueBetween(timing(cron, timezone), Date.parse(from), Date.parse(to)).map((at) =>
    new Date(at).toISOString().slice(5, 16),
  );

describe('in Paris', () => {
  // 02:00 CET is 03:00 CEST: at 01:00 UTC.
  test('a run in the skipped hour is due once, right after it', () => {
    expect(between('30 2 * * *', 'Europe/Paris', '2026-03-28T00:00Z', '2026-03-31T00:00Z')).toEqual([
      '03-28T01:30',
      '03-29T01:00',
      '03-30T00:30',
    ]);
    expect(between('*/5 2 * * *', 'Europe/Paris', '2026-03-29T00:00Z', '2026-03-29T12:00Z')).toEqual(['03-29T01:00']);
    expect(between('0 2,3 * * *', 'Europe/Paris', '2026-03-29T00:00Z', '2026-03-29T12:00Z')).toEqual(['03-29T01:00']);
  });

  // 03:00 CEST is 02:00 CET: at 01:00 UTC.
  test('a run in the repeated hour is due the first time only', () => {
    expect(between('30 2 * * *', 'Europe/Paris', '2026-10-24T00:00Z', '2026-10-27T00:00Z')).toEqual([
      '10-24T00:30',
      '10-25T00:30',
      '10-26T01:30',
    ]);
    // Also if the period begins within the repeated hour.
    expect(between('30 2 * * *', 'Europe/Paris', '2026-10-25T00:45Z', '2026-10-25T12:00Z')).toEqual([]);
    expect(between('0 2,3 * * *', 'Europe/Paris', '2026-10-24T12:00Z', '2026-10-25T12:00Z')).toEqual([
      '10-25T00:00',
      '10-25T02:00',
    ]);
  });

  test.each(['2026-03-29', '2026-10-25'])('runs of every hour and of every half minute continue through %s', (day) => {
    const from = Date.parse(`${day}T00:00Z`) - 1;
    for (const [cron, stepMs] of [
      ['15 * * * *', hourMs],
      ['*/30 * * * * *', 30_000],
    ] as const) {
      const due = dueBetween(timing(cron, 'Europe/Paris'), from, from + 6 * hourMs);
      expect(due).toHaveLength((6 * hourMs) / stepMs);
      for (const [index, at] of due.entries()) expect(at - due[0]!).toBe(index * stepMs);
    }
  });
});

describe('on Lord Howe Island, where clocks change by half an hour', () => {
  // 02:00 becomes 02:30 at 15:30 UTC.
  test('a run in the skipped half hour is due once, right after it', () => {
    expect(between('15 2 * * *', 'Australia/Lord_Howe', '2026-10-02T00:00Z', '2026-10-05T00:00Z')).toEqual([
      '10-02T15:45',
      '10-03T15:30',
      '10-04T15:15',
    ]);
  });

  // 02:00 becomes 01:30 at 15:00 UTC.
  test('a run in the repeated half hour is due the first time only', () => {
    expect(between('45 1 * * *', 'Australia/Lord_Howe', '2026-04-03T00:00Z', '2026-04-06T00:00Z')).toEqual([
      '04-03T14:45',
      '04-04T14:45',
      '04-05T15:15',
    ]);
  });

  test('runs of every quarter of an hour continue', () => {
    for (const from of [Date.parse('2026-04-04T13:00Z') - 1, Date.parse('2026-10-03T13:00Z') - 1]) {
      const due = dueBetween(timing('*/15 * * * *', 'Australia/Lord_Howe'), from, from + 4 * hourMs);
      expect(due.map((at) => (at - due[0]!) / 900_000)).toEqual([...Array(16).keys()]);
    }
  });
});

test('the runs of a day that a zone skips are due right after it', () => {
  expect(between('0 3 * * *', 'Pacific/Apia', '2011-12-28T20:00Z', '2011-12-31T20:00Z')).toEqual([
    '12-29T13:00',
    '12-30T10:00',
    '12-30T13:00',
    '12-31T13:00',
  ]);
});

const field = (lowest: number, highest: number) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
    fc
      .uniqueArray(fc.integer({ min: lowest, max: highest }), { minLength: 1, maxLength: 4 })
      .map((list) => list.join(',')),
    fc
      .tuple(fc.integer({ min: lowest, max: highest }), fc.integer({ min: lowest, max: highest }))
      .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
  );
const cron = fc
  .tuple(
    field(0, 59),
    fc.oneof(field(0, 23), field(0, 4)),
    fc.constant('*'),
    fc.constant('*'),
    fc.oneof(fc.constant('*'), field(0, 6)),
  )
  .map((fields) => fields.join(' '));

/** A random zone with an instant at which its clocks change, or any instant. */
const place = fc
  .constantFrom(
    ['Europe/Paris', '2026-03-29T01:00Z'],
    ['Europe/Paris', '2026-10-25T01:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
    ['America/New_York', '2026-11-01T06:00Z'],
    ['Antarctica/Troll', '2026-03-29T01:00Z'],
    ['America/Havana', '2026-03-08T05:00Z'],
    ['Pacific/Apia', '2011-12-30T10:00Z'],
    ['Asia/Kathmandu', '2026-06-01T00:00Z'],
  )
  .chain(([zone, instant]) =>
    fc.record({
      zone: fc.constant(zone!),
      from: fc.integer({ min: -30 * 60, max: 6 * 60 }).map((minutes) => Date.parse(instant!) + minutes * 60_000 + 500),
      minutes: fc.integer({ min: 1, max: 48 * 60 }),
    }),
  );

describe('any pattern', () => {
  test('any pattern is due when the naive model says, near and far from clock changes', () => {
    fc.assert(
      fc.property(cron, place, (text, { zone, from, minutes }) => {
        const to = from + minutes * 60_000;
        expect(dueBetween(timing(text, zone), from, to)).toEqual(naiveDue(naivePattern(text), zone, from, to));
      }),
      { numRuns: 300 },
    );
  });

  test('a pattern with seconds is due when the naive model says', () => {
    fc.assert(
      fc.property(field(0, 59), fc.constantFrom('*', '1-3', '2'), place, (seconds, hours, { zone, from }) => {
        const text = `${seconds} */10 ${hours} * * *`;
        const to = from + 4 * hourMs;
        expect(dueBetween(timing(text, zone), from, to)).toEqual(naiveDue(naivePattern(text), zone, from, to));
      }),
      { numRuns: 20 },
    );
  });

  test('the due times do not depend on how a period is divided', () => {
    fc.assert(
      fc.property(
        cron,
        place,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
        (text, { zone, from, minutes }, cuts) => {
          const to = from + minutes * 60_000;
          const edges = [from, ...cuts.map((cut) => Math.round(from + cut * (to - from))).sort((a, b) => a - b), to];
          const pieces = edges.slice(1).flatMap((edge, index) => dueBetween(timing(text, zone), edges[index]!, edge));
          const whole = dueBetween(timing(text, zone), from, to);
          expect(pieces).toEqual(whole);
          expect(newestDue(timing(text, zone), from, to, 5)).toEqual({ due: whole.slice(-5), more: whole.length > 5 });
          expect(nextDue(timing(text, zone), from, 3).filter((at) => at <= to)).toEqual(whole.slice(0, 3));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a pattern', () => {
  test('a pattern may name last days, nearest weekdays and the like', () => {
    expect(between('0 0 L 2 *', 'UTC', '2026-01-01T00:00Z', '2029-01-01T00:00Z')).toEqual([
      '02-28T00:00',
      '02-28T00:00',
      '02-29T00:00',
    ]);
    expect(between('0 0 * 12 5#2', 'UTC', '2026-01-01T00:00Z', '2027-01-01T00:00Z')).toEqual(['12-11T00:00']);
    expect(between('0 12 15W 8 *', 'UTC', '2026-01-01T00:00Z', '2027-01-01T00:00Z')).toEqual(['08-14T12:00']);
  });

  test('a pattern may be due once in many years', () => {
    expect(nextDue(timing('0 3 29 2 1', 'UTC'), Date.parse('2026-01-01T00:00Z'), 1)).toEqual([
      Date.parse('2044-02-29T03:00Z'),
    ]);
  });

  test.each([
    ['99 * * * *', "invalid cron pattern '99 * * * *': minute: 99 is a invalid expression for minute"],
    [
      '0 25 * 13 *',
      "invalid cron pattern '0 25 * 13 *': hour: 25 is a invalid expression for hour; month: 13 is a invalid expression for month",
    ],
    ['0 3 * *', "invalid cron pattern '0 3 * *': expression: expected 5 or 6 fields but got 4"],
    [
      '0 0 30 2 *',
      "invalid cron pattern '0 0 30 2 *': dayOfMonth: 30 2 is an impossible day of month for the given month",
    ],
  ])('the pattern %s is refused with the faults of its fields', (text, message) => {
    expect(() => parsePattern(text)).toThrow(message);
  });
});

test('a single time is due once', () => {
  const once = { cron: null, at: 5000, timezone: 'UTC' };
  expect(dueBetween(once, 4999, 5000)).toEqual([5000]);
  expect(dueBetween(once, 5000, 9000)).toEqual([]);
  expect(nextDue(once, 0, 3)).toEqual([5000]);
});

test('an unknown timezone is refused', () => {
  expect(() => zoneOf('Mars/Olympus')).toThrow("invalid timezone 'Mars/Olympus'");
  expect(zoneOf(localZone()).offsetMs(Date.UTC(2026, 0, 1)) % 900_000).toBe(0);
  expect(zoneOf('Asia/Kathmandu').offsetMs(Date.UTC(2026, 0, 1))).toBe(5.75 * hourMs);
});
