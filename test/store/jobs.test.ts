import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { interruptedMessage, type JobRecord, type NewJob } from '../../src/store/jobs.ts';
import { defaultRetention } from '../../src/store/prune.ts';
import { openStore, type Store } from '../../src/store/store.ts';

let store: Store;

beforeEach(() => {
  store = openStore(':memory:');
});

afterEach(() => store.close());

const newJob: NewJob = {
  name: 'weekly',
  slice: 'three',
  vn: 'three',
  router: null,
  placements: ['initial', 'final'],
  cron: '0 3 * * 1',
  at: null,
  timezone: 'Europe/Paris',
  options: '{"schedule":"optimal"}',
  missed: 'once',
  retries: 2,
  retryWaitMs: 1000,
  latestStartMs: 2000,
};
const holder = { host: 'here', boot: 'now', pid: 1, processStart: '2' };
const end = { finishedAt: 90, message: null, migrationId: null };

/** Starts an attempt. */
function startRun(job: JobRecord, dueAt: number, attempt: number) {
  return store.jobs.advance(job.id, holder, 50, () => ({ change: {}, closed: [], start: { dueAt, attempt } }))?.started;
}

describe('jobs', () => {
  test('jobs are stored and loaded unchanged', () => {
    const job = store.jobs.add(newJob, 77);
    expect(job).toEqual({ ...newJob, id: 1, state: 'active', reason: null, createdAt: 77, checkedAt: 77, retry: null });
    expect(store.jobs.find('weekly')).toEqual(job);
    store.jobs.add({ ...newJob, name: 'a', cron: null, at: 99 }, 78);
    expect(store.jobs.list().map(({ name }) => name)).toEqual(['a', 'weekly']);
    expect(store.jobs.find('absent')).toBeUndefined();
  });

  test('jobs have unique names', () => {
    store.jobs.add(newJob, 77);
    expect(() => store.jobs.add(newJob, 78)).toThrow("job 'weekly' already exists");
  });

  test('a change affects only some fields of a job', () => {
    const { id } = store.jobs.add(newJob, 77);
    const retry = { dueAt: 1, attempt: 2, at: 3 };
    store.jobs.change(id, { retry, checkedAt: 80 });
    store.jobs.change(id, { state: 'paused', reason: 'why' });
    expect(store.jobs.find('weekly')).toMatchObject({ state: 'paused', reason: 'why', retry, checkedAt: 80 });
    store.jobs.change(id, { retry: null, reason: null });
    expect(store.jobs.find('weekly')).toMatchObject({ state: 'paused', reason: null, retry: null });
  });

  test('removing a job removes its runs', () => {
    const job = store.jobs.add(newJob, 77);
    startRun(job, 1, 1);
    store.jobs.remove(job.id);
    expect(store.jobs.underWay()).toEqual([]);
    // The id of a removed job is never reused.
    expect(store.jobs.add(newJob, 78).id).toBe(job.id + 1);
  });
});

describe('runs', () => {
  test('advance records runs and changes in one transaction, or nothing', () => {
    const { id } = store.jobs.add(newJob, 0);
    const missed = { dueAt: 10, attempt: 1, outcome: 'missed', message: 'away' } as const;
    const step = { change: { checkedAt: 30 }, closed: [missed], start: { dueAt: 20, attempt: 1 } };
    expect(() =>
      store.jobs.advance(id, holder, 30, () => ({ ...step, closed: [{ ...missed, outcome: 'odd' as 'missed' }] })),
    ).toThrow('CHECK constraint failed');
    expect(store.jobs.find('weekly')?.checkedAt).toBe(0);
    expect(store.jobs.advance(id, holder, 30, () => step)).toMatchObject({
      closed: [missed],
      started: { dueAt: 20, holder },
    });
    expect(store.jobs.find('weekly')?.checkedAt).toBe(30);
    expect(store.jobs.runs(id, 9)).toMatchObject([
      { dueAt: 20, outcome: null, finishedAt: null, startedAt: null },
      { dueAt: 10, outcome: 'missed', finishedAt: 30, holder: null },
    ]);
    // Another process that made the same decision finds it recorded.
    expect(store.jobs.advance(id, holder, 31, () => step)).toEqual({ closed: [], started: undefined });
    expect(store.jobs.runs(id, 9)).toHaveLength(2);
  });

  test('advance starts no run of a removed job', () => {
    expect(store.jobs.advance(7, holder, 30, () => ({ change: {}, closed: [] }))).toBeUndefined();
  });

  test('a retried run keeps its placement', () => {
    const job = store.jobs.add(newJob, 0);
    const first = startRun(job, 10, 1)!;
    expect(first.placement).toBeNull();
    store.jobs.begin(first.id, 'final', 11);
    store.jobs.finish(first.id, { ...end, outcome: 'failed' }, () => ({}));
    expect(startRun(job, 10, 2)?.placement).toBe('final');
    expect(startRun(job, 20, 1)?.placement).toBeNull();
  });

  test('a run ends once, and finish counts its failed attempts', () => {
    const job = store.jobs.add(newJob, 0);
    const failures: number[] = [];
    const finish = (attempt: number, outcome: 'failed' | 'rolled-back' | 'completed', message: string | null) => {
      const run = startRun(job, 10, attempt)!;
      store.jobs.begin(run.id, 'final', 40);
      const decide = (_job: JobRecord, _run: unknown, count: number) => {
        failures.push(count);
        return { reason: `${count}` };
      };
      const finished = store.jobs.finish(run.id, { ...end, outcome, message }, decide);
      expect(finished).toMatchObject({
        job: { reason: failures.at(-1)?.toString() },
        run: { attempt, outcome, message, startedAt: 40 },
      });
      expect(store.jobs.finish(run.id, { ...end, outcome, message }, decide)).toBeUndefined();
    };
    finish(1, 'failed', 'no route');
    finish(2, 'rolled-back', interruptedMessage);
    finish(3, 'rolled-back', null);
    finish(4, 'completed', null);
    expect(failures).toEqual([1, 1, 2, 2]);
  });

  test('a run by hand starts only if no run is in progress', () => {
    const { id } = store.jobs.add(newJob, 0);
    const begun = store.jobs.startByHand(id, holder, 5);
    expect(begun).toMatchObject({ started: { attempt: 0, dueAt: 5 } });
    expect(store.jobs.startByHand(id, holder, 6)).toMatchObject({ underWay: { dueAt: 5 } });
    store.jobs.finish(store.jobs.underWay()[0]!.id, { ...end, outcome: 'completed' }, () => ({}));
    // Even at the same instant.
    expect(store.jobs.startByHand(id, holder, 5)).toMatchObject({ started: { attempt: 0 } });
  });

  test('prune keeps the newest runs of each job, and those in progress', () => {
    const [job, other] = [store.jobs.add(newJob, 0), store.jobs.add({ ...newJob, name: 'other' }, 0)];
    startRun(job, 0, 1);
    const closed = (from: number) =>
      [...Array(15).keys()].map(
        (index) => ({ dueAt: from + index, attempt: 1, outcome: 'missed', message: '' }) as const,
      );
    for (const { id } of [job, other]) store.jobs.advance(id, holder, 1, () => ({ change: {}, closed: closed(1) }));
    expect(store.prune({ ...defaultRetention, jobRuns: 10 }, 1)).toBe(10);
    expect(store.jobs.runs(job.id, 99).map(({ dueAt }) => dueAt)).toEqual([15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 0]);
    expect(store.jobs.runs(other.id, 99)).toHaveLength(10);
    expect(defaultRetention.jobRuns).toBe(1000);
  });
});
