/** A year of jobs in simulated time, compared with an independent model. */
import { afterEach, describe, expect, test } from 'vitest';
import type { JobRecord, NewJob } from '../../../src/store/jobs.ts';
import { naiveDue, naivePattern } from './naive.ts';
import { createWorld, type Fate, type World } from './world.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const start = Date.parse('2026-01-01T00:00:00Z');
const end = Date.parse('2027-01-01T00:00:00Z');
let world: World;

afterEach(() => world.close());

const jobs: (Partial<NewJob> & { name: string })[] = [
  { name: 'weekly', cron: '0 3 * * 1', timezone: 'Europe/Paris', missed: 'once' },
  { name: 'nightly', cron: '30 2 * * *', timezone: 'Europe/Paris' },
  { name: 'island', cron: '45 1 * * *', timezone: 'Australia/Lord_Howe', missed: 'once', latestStartMs: minuteMs },
  { name: 'hourly', cron: '15 * * * *', timezone: 'Australia/Lord_Howe', retries: 1, retryWaitMs: 20 * minuteMs },
  { name: 'often', cron: '*/5 * * 3,10 *', timezone: 'Europe/Paris' },
  { name: 'doomed', cron: '0 12 * * *', timezone: 'UTC' },
  { name: 'once', at: Date.parse('2026-06-01T03:00:00Z') },
];

/** Returns the duration and outcome of the nth migration of a job; some last beyond the next due run. */
function fateOf({ name }: Pick<JobRecord, 'name'>, nth: number): Fate {
  const roll = (nth * 7919 + name.length * 104_729) % 1000;
  const long = name === 'often' ? roll < 20 : name === 'hourly' && roll < 10;
  const ms = 1501 + roll * 31 + (long ? 90 * minuteMs : 0);
  const fails = name === 'doomed' ? nth > 200 : roll % 100 === 7;
  return { ms, outcome: fails ? 'failed' : 'completed' };
}

interface Outage {
  readonly from: number;
  readonly to: number;
  readonly killed: boolean;
}

/** Returns random times without a service, seconds to days long; none begins at a full second. */
function makeOutages(): Outage[] {
  const outages: Outage[] = [];
  let seed = 42;
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  for (let at = start + 2 * dayMs; at < end - 3 * dayMs; ) {
    // Half of them begin during a migration.
    const stepMs = random() < 0.5 ? 15 * minuteMs : 1000;
    const from = Math.floor(at / stepMs) * stepMs + 1337;
    const lengthMs = [5000, 40_000, 3 * minuteMs, 20 * minuteMs, 7 * hourMs, 2 * dayMs][Math.floor(random() * 6)]!;
    const to = Math.floor((from + lengthMs * (0.5 + random())) / 1000) * 1000 + 741;
    outages.push({ from, to, killed: random() < 0.4 });
    at = to + (0.2 + random()) * 4 * dayMs;
  }
  return outages;
}

/** Returns the expected outcome of each due run: `due attempt outcome started`. */
interface Expected {
  readonly lines: string[];
  state: 'active' | 'paused' | 'done';
}

const lineOf = (dueAt: number, attempt: number, outcome: string | null, startedAt: number | null) =>
  `${new Date(dueAt).toISOString()} ${attempt} ${outcome} ${startedAt === null ? '-' : new Date(startedAt).toISOString()}`;

/** Simulates one job alone, from event to event: a run is due, the service returns, or a retry is due. */
function tellStory(job: NewJob, due: readonly number[], outages: readonly Outage[]): Expected {
  const story: Expected = { lines: [], state: 'active' };
  const outageAt = (at: number) => outages.find(({ from, to }) => at >= from && at < to);
  const outageIn = (from: number, to: number) => outages.find((outage) => outage.from >= from && outage.from < to);
  const say = (dueAt: number, attempt: number, outcome: string, startedAt: number | null) =>
    story.lines.push(lineOf(dueAt, attempt, outcome, startedAt));
  let nth = 0;
  let failures = 0;
  let next = 0;

  /** Runs that are due until the job is free again are skipped, or missed if no service was running. */
  function passOver(until: number): void {
    for (; next < due.length && due[next]! <= until; next += 1) {
      const seenAt = outageAt(due[next]!)?.to ?? due[next]!;
      say(due[next]!, 1, seenAt - due[next]! > job.latestStartMs ? 'missed' : 'skipped', null);
    }
  }

  /** Simulates a run and its retries from an instant when the service is up. Returns when the job is free again. */
  function tryUntilItEnds(dueAt: number, begin: number): number {
    let at = begin;
    for (let attempt = 1; ; attempt += 1) {
      const fate = fateOf(job, nth);
      nth += 1;
      const outage = outageIn(at, at + fate.ms);
      let again: number;
      if (outage === undefined) {
        say(dueAt, attempt, fate.outcome as string, at);
        if (fate.outcome === 'completed') return at + fate.ms;
        failures += 1;
        again = at + fate.ms + waitOf(job, failures);
      } else if (outage.killed) {
        say(dueAt, attempt, 'failed', at);
        failures += 1;
        again = outage.to + waitOf(job, failures);
      } else {
        say(dueAt, attempt, 'rolled-back', at);
        again = outage.from;
      }
      if (failures > job.retries) {
        story.state = 'paused';
        return Number.POSITIVE_INFINITY;
      }
      const seenAt = outageAt(again)?.to ?? again;
      if (seenAt - again > job.latestStartMs && job.missed === 'skip') {
        say(dueAt, attempt + 1, 'missed', null);
        return outageAt(again)!.from;
      }
      at = seenAt;
    }
  }

  while (next < due.length && story.state === 'active') {
    const seenAt = outageAt(due[next]!)?.to ?? due[next]!;
    const together = [];
    for (; next < due.length && due[next]! <= seenAt; next += 1) together.push(due[next]!);
    const newest = together.at(-1)!;
    const starts = job.missed === 'once' || seenAt - newest <= job.latestStartMs;
    for (const at of starts ? together.slice(0, -1) : together) say(at, 1, 'missed', null);
    if (!starts) continue;
    failures = 0;
    const free = tryUntilItEnds(newest, seenAt);
    if (story.state === 'active') passOver(free);
  }
  if (job.cron === null && story.state === 'active') story.state = 'done';
  return story;
}

function waitOf({ retryWaitMs }: NewJob, failures: number): number {
  let waitMs = retryWaitMs;
  for (let time = 1; time < failures; time += 1) waitMs *= 2;
  return Math.min(waitMs, hourMs);
}

function naiveDueOf({ cron, at, timezone }: JobRecord, from: number, to: number): number[] {
  if (cron === null) return [at!];
  return naiveDue(naivePattern(cron), timezone, from, to);
}

/** Sorts by due time: a retry can come before the record of a run that was due earlier. */
const sorted = (lines: readonly string[]) => lines.toSorted();

describe('a year', () => {
  test('a year of jobs goes as the model says, with service restarts, failed migrations and long migrations', async () => {
    world = createWorld({ heartbeatMs: hourMs, startMs: start });
    world.fateOf = fateOf;
    for (const job of jobs) world.add(job);
    const outages = makeOutages();
    world.start();
    for (const { from, to, killed } of outages) {
      await world.clock.passUntil(from);
      if (killed) world.kill();
      else await world.stop();
      await world.clock.passUntil(to);
      world.start();
    }
    await world.clock.passUntil(end);
    await world.stop();
    expect(world.errors).toEqual([]);

    const count = new Map<string, number>();
    for (const { name } of jobs) {
      const job = world.job(name);
      const story = tellStory(job, naiveDueOf(job, start, end - 1), [
        ...outages,
        { from: end, to: end + 1, killed: false },
      ]);
      const runs = world.runs(name);
      const lines = runs.map((run) => lineOf(run.dueAt, run.attempt, run.outcome, run.startedAt));
      expect(sorted(lines)).toEqual(sorted(story.lines));
      expect({ name, state: job.state }).toEqual({ name, state: story.state });
      expect(new Set(runs.map(({ dueAt, attempt }) => `${dueAt} ${attempt}`)).size).toBe(runs.length);
      const begun = world.begun.filter((one) => one.job === name).map(({ atMs }) => atMs);
      expect(begun).toEqual(runs.flatMap(({ startedAt }) => startedAt ?? []).sort((a, b) => a - b));
      for (const { outcome } of runs) count.set(outcome!, (count.get(outcome!) ?? 0) + 1);
    }
    // Every outcome has occurred often.
    for (const outcome of ['completed', 'failed', 'rolled-back', 'skipped', 'missed']) {
      expect(count.get(outcome)).toBeGreaterThan(10);
    }
    expect(world.job('doomed').state).toBe('paused');
    expect(world.job('once').state).toBe('done');
  }, 300_000);
});
