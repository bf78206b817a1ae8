/** Tests of the jobs of a service, started on schedule and through HTTP, with a slice that is not installed. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addJob } from '../../../src/service/jobs/actions.ts';
import { type Jobs, startJobs } from '../../../src/service/jobs/start.ts';
import { jobView } from '../../../src/service/jobs/view.ts';
import { untilText } from '../../../src/service/jobs/words.ts';
import type { Log, LogFields } from '../../../src/service/log.ts';
import type { ServiceContext } from '../../../src/service/watching.ts';
import { readSlice } from '../../../src/slicefile/index.ts';
import { openStore, type Store } from '../../../src/store/store.ts';
import { gallery } from '../../support/slices.ts';

const monday = {
  name: 'monday',
  slice: 'three',
  to: ['initial', 'final'],
  cron: '0 3 * * 1',
  timezone: 'Europe/Paris',
};
let store: Store;
let abort: AbortController;
let jobs: Jobs;
let logged: { level: string; event: string; message: string; fields: LogFields | undefined }[];
let counted: string[];

beforeEach(() => {
  store = openStore(':memory:');
  store.slices.save(readSlice(gallery('three-node')));
  abort = new AbortController();
  logged = [];
  counted = [];
  const level = (name: string) => (event: string, message: string, fields?: LogFields) =>
    void logged.push({ level: name, event, message, fields });
  const log = Object.fromEntries(
    ['debug', 'info', 'warn', 'error'].map((name) => [name, level(name)]),
  ) as unknown as Log;
  const context = {
    store,
    acceptNewHostKeys: false,
    report: () => {},
    signal: abort.signal,
  } as unknown as ServiceContext;
  jobs = startJobs(context, log, (job, outcome) => counted.push(`${job} ${outcome}`));
});

afterEach(async () => {
  abort.abort();
  await jobs.ended();
  store.close();
});

const history = async (name: string) => jobs.api.history(name, 20);
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('jobs are added, shown, paused, resumed and removed', async () => {
  expect(await jobs.api.add(monday)).toMatchObject({
    name: 'monday',
    vn: 'three',
    to: ['initial', 'final'],
    state: 'active',
  });
  expect(jobs.api.names()).toEqual(['monday']);
  expect(await jobs.api.pause('monday')).toMatchObject({ state: 'paused', nextRuns: [] });
  expect(await jobs.api.resume('monday')).toMatchObject({ state: 'active' });
  expect(await jobs.api.list()).toEqual([await jobs.api.show('monday')]);
  await jobs.api.remove('monday');
  expect(await jobs.api.list()).toEqual([]);
  expect(() => jobs.api.show('monday')).toThrow("there is no job 'monday'");
});

test('a job runs at once by hand, and its outcome is recorded, logged and counted', async () => {
  await jobs.api.add(monday);
  expect(await jobs.api.run('monday')).toMatchObject({ attempt: 0, outcome: null });
  await until(async () => (await history('monday')).every(({ outcome }) => outcome !== null));
  expect(await history('monday')).toMatchObject([
    { attempt: 0, placement: 'initial', outcome: 'failed', message: "VN 'three' of slice 'three' is not installed" },
  ]);
  expect(counted).toEqual(['monday failed']);
  expect(logged.map(({ level, event }) => `${level} ${event}`)).toEqual(['info job-started', 'warn job-failed']);
  expect(logged[1]?.fields).toEqual({ job: 'monday', slice: 'three', vn: 'three' });
  expect(store.events.list('three').map(({ kind }) => kind)).toEqual(['job-failed', 'job-started']);
});

test('a job that fails too often is paused, and an event says so', async () => {
  await jobs.api.add({ name: 'often', slice: 'three', to: ['final'], cron: '* * * * * *', retries: 0 });
  await until(async () => (await jobs.api.show('often')).state === 'paused');
  expect(store.events.list('three')[0]).toMatchObject({
    kind: 'job-paused',
    message:
      "job 'often': paused: the run failed: VN 'three' of slice 'three' is not installed; run `pl-vnm job resume often` to resume it",
  });
  expect(logged.at(-1)).toMatchObject({ level: 'error', event: 'job-paused' });
});

test('the next runs are shown in words', () => {
  const nowMs = Date.parse('2026-11-25T12:00:00Z');
  const job = addJob(store, monday, nowMs);
  const { nextRuns, lastRun, retry } = jobView(store, job, nowMs);
  expect(nextRuns).toEqual([
    { at: '2026-11-30T02:00:00.000Z', words: 'Mon, 30 Nov 2026, 03:00 CET (in 5 days)' },
    { at: '2026-12-07T02:00:00.000Z', words: 'Mon, 7 Dec 2026, 03:00 CET (in 12 days)' },
    { at: '2026-12-14T02:00:00.000Z', words: 'Mon, 14 Dec 2026, 03:00 CET (in 19 days)' },
  ]);
  expect({ lastRun, retry }).toEqual({ lastRun: null, retry: null });
  expect([1000, 90_000, 150_000, 47 * 3_600_000, 50 * 3_600_000].map((ms) => untilText(nowMs + ms, nowMs))).toEqual([
    'in 1 second',
    'in 90 seconds',
    'in 3 minutes',
    'in 47 hours',
    'in 2 days',
  ]);
});
