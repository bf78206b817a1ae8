import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { thisProcess } from '../../../src/controller/base/lock.ts';
import { VnmError } from '../../../src/model/errors.ts';
import { addJob, findJob, pauseJob, removeJob, resumeJob } from '../../../src/service/jobs/actions.ts';
import { localZone } from '../../../src/service/jobs/zone.ts';
import { readSlice } from '../../../src/slicefile/index.ts';
import { openStore, type Store } from '../../../src/store/store.ts';
import { gallery } from '../../support/slices.ts';

const nowMs = Date.parse('2026-11-25T12:00:00Z');
const weekly = { name: 'weekly', slice: 'three', to: ['initial', 'final'], cron: '0 3 * * 1' };
let store: Store;

beforeEach(() => {
  store = openStore(':memory:');
  store.slices.save(readSlice(gallery('three-node')));
  store.slices.save(readSlice(gallery('shared-nodes')));
});

afterEach(() => store.close());

const add = (input: object) => addJob(store, input, nowMs);

describe('a new job', () => {
  test('a new job has defaults', () => {
    expect(add(weekly)).toEqual({
      id: 1,
      name: 'weekly',
      slice: 'three',
      vn: 'three',
      router: null,
      placements: ['initial', 'final'],
      cron: '0 3 * * 1',
      at: null,
      timezone: localZone(),
      options: JSON.stringify({ control: 'gateway', schedule: 'optimal', granularity: 'gateway', traffic: false }),
      missed: 'skip',
      retries: 3,
      retryWaitMs: 60_000,
      latestStartMs: 300_000,
      state: 'active',
      reason: null,
      createdAt: nowMs,
      checkedAt: nowMs,
      retry: null,
    });
    expect(store.jobs.list()).toHaveLength(1);
  });

  test('a new job has all fields of its input', () => {
    const options = { control: 'remote', schedule: 'heuristic', granularity: 'peer', urpf: 'strict', traffic: true };
    const policies = { missed: 'once', retries: 0, retryWaitMs: 5000, latestStartMs: 10_000, timezone: 'Asia/Tokyo' };
    const { name, slice, to } = weekly;
    const job = add({ name, slice, vn: 'three', to, at: '2026-12-01T03:00+02:00', options, ...policies });
    expect(job).toMatchObject({ ...policies, cron: null, at: Date.parse('2026-12-01T01:00Z') });
    expect(JSON.parse(job.options)).toEqual(options);
  });

  test('a new job moves one router between nodes by method vroom', () => {
    const options = { method: 'vroom', controlPlane: 'restart', parallel: 1 };
    const job = add({ ...weekly, router: 'a', to: ['p4', 'p1'], options });
    expect(job).toMatchObject({ router: 'a', placements: ['p4', 'p1'] });
    expect(JSON.parse(job.options)).toMatchObject(options);
    expect(findJob(store, 'weekly')).toEqual(job);
  });

  const { cron: _, ...timeless } = weekly;
  const vroom = { ...weekly, router: 'a', to: ['p4'], options: { method: 'vroom' } };
  test.each<[object, string, string]>([
    [
      { ...weekly, name: 'a b' },
      'invalid-input',
      'invalid job: name: must be 1 to 64 of A-Z, a-z, 0-9, _ and -, beginning with a letter or digit',
    ],
    [{ ...weekly, slice: 'four' }, 'not-found', "there is no slice 'four' in :memory:"],
    [{ ...weekly, vn: 'four' }, 'not-found', "slice 'three' has no VN 'four'"],
    [{ ...weekly, slice: 'shared' }, 'usage', "slice 'shared' has several VNs (red, blue)"],
    [{ ...weekly, to: ['final', 'nowhere'] }, 'not-found', "VN 'three' has no placement 'nowhere'"],
    [{ ...weekly, to: ['final', 'final'] }, 'invalid-input', 'invalid job: duplicate placement in final, final'],
    [{ ...vroom, to: ['p4', 'p4'] }, 'invalid-input', 'invalid job: duplicate node in p4, p4'],
    [{ ...vroom, router: 'z' }, 'not-found', "VN 'three' has no router 'z'"],
    [{ ...vroom, to: ['p4', 'final'] }, 'not-found', "slice 'three' has no node 'final'"],
    [{ ...vroom, options: {} }, 'usage', 'method instance moves all routers of a VN'],
    [
      { ...weekly, options: { parallel: 2 } },
      'usage',
      'method instance moves all routers together, so it has no --parallel',
    ],
    [
      { ...vroom, options: { method: 'vroom', parallel: 0 } },
      'invalid-input',
      'invalid job: options.parallel: Too small: expected number to be >=1',
    ],
    [{ ...weekly, to: [] }, 'invalid-input', 'invalid job: to: Too small: expected array to have >=1 items'],
    [{ ...weekly, at: '2026-12-01T03:00Z' }, 'invalid-input', 'invalid job: both cron and at are given'],
    [timeless, 'invalid-input', 'invalid job: neither cron nor at is given'],
    [
      { ...weekly, cron: '0 24 * * 1' },
      'invalid-input',
      "invalid cron pattern '0 24 * * 1': hour: 24 is a invalid expression for hour",
    ],
    [{ ...weekly, cron: '0 0 30W 2 *' }, 'invalid-input', "invalid cron pattern '0 0 30W 2 *': it is never due"],
    [{ ...weekly, timezone: 'Mars/Olympus' }, 'invalid-input', "invalid timezone 'Mars/Olympus'"],
    [
      { ...timeless, at: 'tomorrow' },
      'invalid-input',
      'invalid job: at: must be a time with its UTC offset, like 2026-12-01T03:00Z',
    ],
    [
      { ...timeless, at: '2026-12-01T03:00' },
      'invalid-input',
      'invalid job: at: must be a time with its UTC offset, like 2026-12-01T03:00Z',
    ],
    [
      { ...timeless, at: '2027-02-30T03:00Z' },
      'invalid-input',
      "invalid time '2027-02-30T03:00Z': no such date or time of day",
    ],
    [
      { ...timeless, at: '2026-11-25T12:00Z' },
      'invalid-input',
      'invalid time 2026-11-25T12:00:00.000Z: it is in the past',
    ],
    [
      { ...weekly, options: { schedule: 'hold', control: 'remote' } },
      'usage',
      "schedule 'hold' needs the redirections armed at the gateways",
    ],
    [
      { ...weekly, missed: 'twice', retries: -1 },
      'invalid-input',
      'invalid job: missed: Invalid option: expected one of "skip"|"once"; retries: Too small: expected number to be >=0',
    ],
    [{ ...weekly, wish: 1 }, 'invalid-input', 'invalid job: Unrecognized key: "wish"'],
  ])('the job %j is refused', (input, code, message) => {
    let thrown: unknown;
    try {
      add(input);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(VnmError);
    expect(thrown).toMatchObject({ code, message });
    expect(store.jobs.list()).toEqual([]);
  });

  test('a new job needs an unused name', () => {
    add(weekly);
    expect(() => add(weekly)).toThrow("job 'weekly' already exists");
  });
});

describe('an action on a job', () => {
  beforeEach(() => {
    add(weekly);
  });

  test('an action needs a job that exists', () => {
    expect(() => findJob(store, 'daily')).toThrow("there is no job 'daily'");
    for (const act of [pauseJob, resumeJob, removeJob])
      expect(() => act(store, 'daily')).toThrow("there is no job 'daily'");
  });

  test('pausing drops a retry, and resuming considers only later runs', () => {
    const { id } = findJob(store, 'weekly');
    store.jobs.change(id, { retry: { dueAt: 1, attempt: 2, at: 3 } });
    expect(pauseJob(store, 'weekly')).toMatchObject({ state: 'paused', reason: 'by hand', retry: null });
    expect(resumeJob(store, 'weekly', nowMs + 99)).toMatchObject({
      state: 'active',
      reason: null,
      checkedAt: nowMs + 99,
    });
  });

  test('resuming an active job changes it only if the clock was set back', () => {
    expect(resumeJob(store, 'weekly', nowMs + 99).checkedAt).toBe(nowMs);
    expect(resumeJob(store, 'weekly', nowMs - 99).checkedAt).toBe(nowMs - 99);
  });

  test('a job whose time is in the past cannot be paused or resumed', () => {
    const { id } = add({ name: 'once', slice: 'three', to: ['final'], at: '2026-12-01T03:00Z' });
    pauseJob(store, 'once');
    expect(() => resumeJob(store, 'once', Date.parse('2026-12-01T03:00Z'))).toThrow(
      "the time of job 'once' is in the past",
    );
    store.jobs.change(id, { state: 'done' });
    expect(() => resumeJob(store, 'once', nowMs)).toThrow("the time of job 'once' is in the past");
    expect(() => pauseJob(store, 'once')).toThrow("the time of job 'once' is in the past");
  });

  test('a running job cannot be removed, unless its process has ended', () => {
    const { id } = findJob(store, 'weekly');
    store.jobs.startByHand(id, thisProcess(), nowMs);
    expect(() => removeJob(store, 'weekly')).toThrow(
      "the run started by hand at 2026-11-25T12:00:00.000Z of job 'weekly' is under way",
    );
    store.jobs.finish(
      store.jobs.underWay()[0]!.id,
      { outcome: 'completed', finishedAt: nowMs, message: null, migrationId: null },
      () => ({}),
    );
    store.jobs.startByHand(id, { ...thisProcess(), processStart: 'another' }, nowMs);
    removeJob(store, 'weekly');
    expect(store.jobs.list()).toEqual([]);
  });
});
