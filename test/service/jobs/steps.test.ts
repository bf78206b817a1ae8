/** Whatever happens to the clock and the service, a due run starts at most once and is never lost. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NewJob } from '../../../src/store/jobs.ts';
import { naiveDue, naivePattern } from './naive.ts';
import { createWorld, type World } from './world.ts';

const minuteMs = 60_000;
const places = ['2026-03-28T18:00:00Z', '2026-10-24T18:00:00Z', '2026-10-03T08:00:00Z', '2026-06-01T00:00:00Z'];

const job = fc.record({
  cron: fc.constantFrom('*/10 * * * *', '0 * * * *', '30 1-3 * * *', '30 */2 * * *', '20,50 2 * * *'),
  timezone: fc.constantFrom('Europe/Paris', 'Australia/Lord_Howe', 'UTC'),
  missed: fc.constantFrom('skip' as const, 'once' as const),
  latestStartMs: fc.constantFrom(60_000, 300_000, 3_600_000),
});

const minutes = (min: number, max: number) =>
  fc.integer({ min: min * 60, max: max * 60 }).map((seconds) => seconds * 1000);
const deed = fc.oneof(
  { weight: 3, arbitrary: minutes(1, 200).map((ms) => ({ kind: 'pass' as const, ms })) },
  minutes(-180, 180).map((ms) => ({ kind: 'set' as const, ms })),
  minutes(1, 180).map((ms) => ({ kind: 'sleep' as const, ms })),
  minutes(0, 60).map((ms) => ({ kind: 'stop' as const, ms })),
  minutes(0, 60).map((ms) => ({ kind: 'kill' as const, ms })),
);

async function undergo(world: World, { kind, ms }: { kind: 'pass' | 'set' | 'sleep' | 'stop' | 'kill'; ms: number }) {
  if (kind === 'pass') return world.clock.pass(ms);
  if (kind === 'set') return world.clock.set(ms);
  if (kind === 'sleep') return world.clock.sleep(ms);
  if (kind === 'stop') await world.stop();
  else world.kill();
  await world.clock.pass(ms);
  world.start();
}

function check(world: World, name: string, startMs: number, wasKilled: boolean): void {
  const { cron, timezone, missed, latestStartMs, checkedAt } = world.job(name);
  const runs = world.runs(name);
  const first = runs.filter(({ attempt }) => attempt === 1);
  const due = naiveDue(naivePattern(cron!), timezone, startMs, checkedAt);
  expect(first.map(({ dueAt }) => dueAt).toSorted((a, b) => a - b)).toEqual(due);
  const begun = world.begun.filter((one) => one.job === name);
  expect(begun.map(({ atMs }) => atMs).toSorted()).toEqual(runs.flatMap(({ startedAt }) => startedAt ?? []).toSorted());
  for (const [index, { endedMs }] of begun.entries()) {
    const next = begun[index + 1];
    if (next !== undefined) expect(endedMs).toBeLessThanOrEqual(next.beganMs);
  }
  for (const { dueAt, startedAt, outcome, finishedAt } of first) {
    expect(finishedAt === null).toBe(outcome === null);
    if (startedAt === null) continue;
    expect(startedAt).toBeGreaterThanOrEqual(dueAt);
    if (missed === 'skip') expect(startedAt - dueAt).toBeLessThanOrEqual(latestStartMs);
  }
  if (!wasKilled) expect(runs.map(({ message }) => message)).not.toContain('the process that ran it ended');
}

test('no run starts twice or is lost when the clock is set, the machine sleeps or the service ends', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...places),
      fc.array(job, { minLength: 1, maxLength: 3 }),
      fc.array(deed, { maxLength: 15 }),
      fc.integer({ min: 1, max: 40 }),
      async (place, jobs: Partial<NewJob>[], deeds, lasts) => {
        const startMs = Date.parse(place);
        const world = createWorld({ startMs, heartbeatMs: 5 * minuteMs });
        try {
          world.fateOf = (_job, nth) => ({
            ms: lasts * 30_000 + 11,
            outcome: nth % 3 === 1 ? 'rolled-back' : 'completed',
          });
          for (const [index, one] of jobs.entries()) world.add({ ...one, name: `j${index}` });
          world.start();
          for (const one of deeds) await undergo(world, one);
          // Every run under way ends, and a heartbeat comes.
          await world.clock.pass(31 * minuteMs);
          expect(world.errors).toEqual([]);
          const wasKilled = deeds.some(({ kind }) => kind === 'kill');
          for (const index of jobs.keys()) check(world, `j${index}`, startMs, wasKilled);
        } finally {
          await world.stop();
          world.close();
        }
      },
    ),
    { numRuns: 60 },
  );
});
