import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import { runOnce } from '../../../src/service/jobs/run.ts';
import { createWorld, type World } from './world.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const midnight = Date.parse('2026-01-01T00:00:00Z');
let world: World;

beforeEach(() => {
  world = createWorld();
});

afterEach(() => {
  expect(world.errors).toEqual([]);
  world.close();
});

/** Time of day in UTC. */
const clockOf = (at: number) => new Date(at).toISOString().slice(11, 19);
const dueOf = (name: string) => world.runs(name).map(({ dueAt, outcome }) => `${clockOf(dueAt)} ${outcome}`);
const startsOf = (name: string) => world.begun.filter(({ job }) => job === name).map(({ atMs }) => clockOf(atMs));
const attemptsOf = (name: string) => world.runs(name).map(({ attempt, outcome }) => `${attempt} ${outcome}`);

describe('a job', () => {
  test('a job with a pattern starts each time, and uses its placements in turn', async () => {
    world.add({ name: 'j', cron: '*/10 * * * *' });
    world.start();
    await world.clock.pass(35 * minuteMs);
    expect(startsOf('j')).toEqual(['00:10:00', '00:20:00', '00:30:00']);
    expect(world.begun.map(({ to }) => to)).toEqual(['final', 'initial', 'final']);
    expect(dueOf('j')).toEqual(['00:10:00 completed', '00:20:00 completed', '00:30:00 completed']);
    expect(world.runs('j')[0]).toMatchObject({ attempt: 1, placement: 'final', startedAt: midnight + 10 * minuteMs });
  });

  test('a job for one time starts once, and is done', async () => {
    world.add({ name: 'j', at: midnight + hourMs });
    world.start();
    await world.clock.pass(3 * hourMs);
    expect(startsOf('j')).toEqual(['01:00:00']);
    expect(world.job('j')).toMatchObject({ state: 'done', reason: null });
  });

  test('a job whose VN is on an equal placement with another name moves it to the next one', async () => {
    // Like an alias in the slice file.
    world.places.set('j', 'final');
    const named = world.store.instances.active;
    Object.assign(world.store.instances, {
      active: (slice: string, vn: string) => ({ ...named(slice, vn)!, placementName: 'alias' }),
    });
    world.add({ name: 'j', placements: ['final', 'initial'], cron: '0 * * * *' });
    world.start();
    await world.clock.pass(2.5 * hourMs);
    expect(world.begun.map(({ to }) => to)).toEqual(['initial', 'final']);
  });

  test('a job whose VN is already on its only placement changes nothing', async () => {
    world.add({ name: 'j', placements: ['final'], cron: '0 * * * *' });
    world.start();
    await world.clock.pass(2.5 * hourMs);
    expect(dueOf('j')).toEqual(['01:00:00 completed', '02:00:00 unchanged']);
    expect(startsOf('j')).toEqual(['01:00:00']);
  });

  test('a job for one router moves it between its nodes in turn', async () => {
    world.add({ name: 'j', router: 'a', placements: ['n1', 'n2'], cron: '0 * * * *' });
    world.start();
    await world.clock.pass(3.5 * hourMs);
    expect(world.begun.map(({ router, to }) => `${router} to ${to}`)).toEqual(['a to n1', 'a to n2', 'a to n1']);
    expect(world.runs('j').map(({ placement }) => placement)).toEqual(['n1', 'n2', 'n1']);
  });

  test('a job for one router that is already on its only node changes nothing', async () => {
    world.add({ name: 'j', router: 'a', placements: ['n1'], cron: '0 * * * *' });
    world.start();
    await world.clock.pass(2.5 * hourMs);
    expect(dueOf('j')).toEqual(['01:00:00 completed', '02:00:00 unchanged']);
    expect(world.runs('j')[1]!.message).toBe("router 'a' of VN 'j' is already on node 'n1'");
  });

  test('a job skips runs that are due while it runs', async () => {
    world.fateOf = () => ({ ms: 25 * minuteMs });
    world.add({ name: 'j', cron: '*/10 * * * *' });
    world.start();
    await world.clock.pass(50 * minuteMs);
    expect(startsOf('j')).toEqual(['00:10:00', '00:40:00']);
    expect(world.runs('j').map(({ dueAt, outcome, message }) => [clockOf(dueAt), outcome, message])).toEqual([
      ['00:10:00', 'completed', null],
      ['00:20:00', 'skipped', 'the run due at 2026-01-01T00:10:00.000Z was still under way'],
      ['00:30:00', 'skipped', 'the run due at 2026-01-01T00:10:00.000Z was still under way'],
      ['00:40:00', null, null],
      ['00:50:00', 'skipped', 'the run due at 2026-01-01T00:40:00.000Z was still under way'],
    ]);
  });

  test('a paused job starts no run, and a resumed one only later runs', async () => {
    const { id } = world.add({ name: 'j', cron: '*/10 * * * *' });
    world.start();
    await world.clock.pass(15 * minuteMs);
    world.store.jobs.change(id, { state: 'paused' });
    await world.clock.pass(20 * minuteMs);
    world.store.jobs.change(id, { state: 'active', checkedAt: world.clock.now() });
    await world.clock.pass(10 * minuteMs);
    expect(dueOf('j')).toEqual(['00:10:00 completed', '00:40:00 completed']);
  });

  test('a job that is added while the service runs starts', async () => {
    world.start();
    await world.clock.pass(5000);
    world.add({ name: 'j', cron: '*/30 * * * * *' });
    await world.clock.pass(115_000);
    expect(startsOf('j')).toEqual(['00:00:30', '00:01:00', '00:01:30', '00:02:00']);
  });
});

describe('a run that fails', () => {
  test('a failed run is retried after growing waits with the same placement, then the job is paused', async () => {
    world.fateOf = (_job, nth) => ({ ms: 1000, outcome: nth === 1 ? new Error('no route') : 'rolled-back' });
    world.add({ name: 'j', cron: '0 1 * * *' });
    world.start();
    await world.clock.pass(48 * hourMs);
    // The waits are 1, 2 and 4 minutes from the end of the previous attempt.
    expect(startsOf('j')).toEqual(['01:00:00', '01:01:01', '01:03:02', '01:07:03']);
    expect(world.begun.map(({ to }) => to)).toEqual(['final', 'final', 'final', 'final']);
    expect(attemptsOf('j')).toEqual(['1 rolled-back', '2 failed', '3 rolled-back', '4 rolled-back']);
    expect(world.job('j')).toMatchObject({ state: 'paused', retry: null });
    expect(world.job('j').reason).toBe('4 attempts failed, the last: a node is unreachable');
  });

  test('after a retry that succeeds the job continues as before', async () => {
    world.fateOf = (_job, nth) => ({ ms: 1000, outcome: nth % 4 === 3 ? 'completed' : 'failed' });
    world.add({ name: 'j', cron: '0 */6 * * *', placements: ['final', 'initial'] });
    world.start();
    await world.clock.pass(13 * hourMs);
    expect(startsOf('j')).toEqual(
      ['06', '12'].flatMap((hour) => [`${hour}:00:00`, `${hour}:01:01`, `${hour}:03:02`, `${hour}:07:03`]),
    );
    expect(world.begun.map(({ to }) => to)).toEqual([...Array(4).fill('final'), ...Array(4).fill('initial')]);
    expect(world.job('j').state).toBe('active');
  });

  test('a retry waits at most an hour', async () => {
    world.fateOf = () => ({ ms: 1, outcome: 'failed' });
    world.add({ name: 'j', at: midnight + 1000, retries: 9 });
    world.start();
    await world.clock.pass(12 * hourMs);
    const starts = world.begun.map(({ atMs }) => atMs);
    expect(starts.slice(1).map((at, index) => (at - starts[index]! - 1) / minuteMs)).toEqual([
      1, 2, 4, 8, 16, 32, 60, 60, 60,
    ]);
    expect(world.job('j').state).toBe('paused');
  });

  test('later runs are skipped while a run waits for its retry', async () => {
    world.fateOf = (_job, nth) => ({ ms: 1000, outcome: nth < 2 ? 'failed' : 'completed' });
    world.add({ name: 'j', cron: '* * * * *' });
    world.start();
    await world.clock.pass(5.5 * minuteMs);
    expect(world.runs('j').map(({ dueAt, attempt, outcome }) => `${clockOf(dueAt)} ${attempt} ${outcome}`)).toEqual([
      '00:01:00 1 failed',
      '00:02:00 1 skipped',
      '00:01:00 2 failed',
      '00:03:00 1 skipped',
      '00:04:00 1 skipped',
      '00:01:00 3 completed',
      '00:05:00 1 completed',
    ]);
  });

  test('a failed run is not retried if the job is paused meanwhile', async () => {
    world.fateOf = () => ({ ms: 1000, outcome: 'failed' });
    const { id } = world.add({ name: 'j', cron: '0 * * * *' });
    world.start();
    await world.clock.pass(hourMs + 500);
    world.store.jobs.change(id, { state: 'paused' });
    await world.clock.pass(hourMs);
    expect(attemptsOf('j')).toEqual(['1 failed']);
    expect(world.job('j').retry).toBeNull();
  });
});

describe('while another command works on the VN', () => {
  test('a run waits, and starts when the other command has ended', async () => {
    world.held.add('j');
    world.add({ name: 'j', cron: '0 1 * * *' });
    world.start();
    await world.clock.pass(hourMs + 4 * minuteMs + 500);
    expect(startsOf('j')).toEqual([]);
    world.held.delete('j');
    await world.clock.pass(minuteMs);
    expect(startsOf('j')).toEqual(['01:04:01']);
    expect(world.runs('j')).toMatchObject([{ outcome: 'completed', startedAt: midnight + hourMs + 241_000 }]);
  });

  test('a run waits until its latest start, then is skipped', async () => {
    world.held.add('j');
    world.add({ name: 'j', cron: '0 * * * *', latestStartMs: 90_000 });
    world.start();
    await world.clock.pass(hourMs + 2 * minuteMs);
    world.held.delete('j');
    await world.clock.pass(hourMs);
    expect(dueOf('j')).toEqual(['01:00:00 skipped', '02:00:00 completed']);
    expect(world.runs('j')[0]).toMatchObject({
      startedAt: null,
      finishedAt: midnight + hourMs + 90_000,
      message: "other commands used VN 'j' of slice 'three' until the latest start of the run",
    });
  });

  test('a conflict that no other command causes is a failure', async () => {
    world.fateOf = () => ({ ms: 1, outcome: new VnmError('conflict', 'no room for another instance') });
    world.add({ name: 'j', cron: '0 1 * * *', retries: 0 });
    world.start();
    await world.clock.pass(2 * hourMs);
    expect(world.runs('j')).toMatchObject([{ outcome: 'failed', message: 'no room for another instance' }]);
    expect(world.job('j')).toMatchObject({
      state: 'paused',
      reason: 'the run failed: no room for another instance',
    });
  });
});

describe('a service that was not running', () => {
  test('a restarted service starts a run that is not too late, and records those that were missed', async () => {
    world.add({ name: 'j', cron: '*/10 * * * *' });
    world.start();
    await world.clock.pass(15 * minuteMs);
    await world.stop();
    await world.clock.pass(38 * minuteMs);
    world.start();
    await world.clock.pass(minuteMs);
    expect(dueOf('j')).toEqual([
      '00:10:00 completed',
      '00:20:00 missed',
      '00:30:00 missed',
      '00:40:00 missed',
      '00:50:00 completed',
    ]);
    expect(startsOf('j')).toEqual(['00:10:00', '00:53:00']);
    expect(world.runs('j')[1]?.message).toBe(
      'the jobs were not checked until 2026-01-01T00:53:00.000Z: no service was running, or the clock was set; the run due at 2026-01-01T00:50:00.000Z starts instead',
    );
  });

  test('a restarted service starts no run that is too late, or one with the policy `once`', async () => {
    world.add({ name: 'skips', cron: '0 * * * *' });
    world.add({ name: 'once', cron: '0 * * * *', missed: 'once' });
    world.add({ name: 'one', at: midnight + hourMs });
    world.add({ name: 'one-once', at: midnight + hourMs, missed: 'once' });
    await world.clock.pass(3.5 * hourMs);
    world.start();
    await world.clock.pass(minuteMs);
    expect(dueOf('skips')).toEqual(['01:00:00 missed', '02:00:00 missed', '03:00:00 missed']);
    expect(dueOf('once')).toEqual(['01:00:00 missed', '02:00:00 missed', '03:00:00 completed']);
    expect(dueOf('one')).toEqual(['01:00:00 missed']);
    expect(world.job('one')).toMatchObject({ state: 'done' });
    expect(world.job('one').reason).toMatch(/^missed: the jobs were not checked until/);
    expect(dueOf('one-once')).toEqual(['01:00:00 completed']);
    expect(startsOf('once')).toEqual(['03:30:00']);
  });

  test('a restarted service records the newest thousand of many missed runs, and reports that there were more', async () => {
    world.add({ name: 'j', cron: '*/30 * * * * *' });
    await world.clock.pass(30 * 24 * hourMs);
    world.start();
    await world.clock.pass(1);
    expect(world.runs('j')).toHaveLength(1000);
    expect(world.reports).toMatchObject([{ kind: 'not-started', more: true }, { kind: 'started' }]);
  });

  test('a service that ends interrupts the run under way, and repeats it after its restart', async () => {
    world.fateOf = () => ({ ms: 10_000 });
    world.add({ name: 'j', cron: '0 1 * * *', retries: 0 });
    world.start();
    await world.clock.pass(hourMs + 5000);
    await world.stop();
    expect(world.runs('j')).toMatchObject([{ attempt: 1, outcome: 'rolled-back', message: 'the service ended' }]);
    expect(world.job('j')).toMatchObject({ state: 'active' });
    await world.clock.pass(20_000);
    world.start();
    await world.clock.pass(minuteMs);
    expect(startsOf('j')).toEqual(['01:00:00', '01:00:25']);
    expect(attemptsOf('j')).toEqual(['1 rolled-back', '2 completed']);
  });

  test('a restarted service does not repeat an interrupted run that is too late', async () => {
    world.fateOf = () => ({ ms: 10_000 });
    world.add({ name: 'j', cron: '0 1 * * *' });
    world.add({ name: 'one', at: midnight + hourMs });
    world.start();
    await world.clock.pass(hourMs + 5000);
    await world.stop();
    await world.clock.pass(hourMs);
    world.start();
    await world.clock.pass(minuteMs);
    expect(attemptsOf('j')).toEqual(['1 rolled-back', '2 missed']);
    expect(world.job('j')).toMatchObject({ state: 'active', retry: null });
    expect(attemptsOf('one')).toEqual(['1 rolled-back', '2 missed']);
    expect(world.job('one').state).toBe('done');
  });

  test('a run whose process was killed counts as a failed attempt', async () => {
    world.fateOf = () => ({ ms: 10_000 });
    world.add({ name: 'j', cron: '0 1 * * *', retries: 1 });
    world.start();
    for (let time = 1; time <= 2; time += 1) {
      await world.clock.pass(time === 1 ? hourMs + 5000 : minuteMs + 5000);
      world.kill();
      world.start();
    }
    await world.clock.pass(hourMs);
    expect(attemptsOf('j')).toEqual(['1 failed', '2 failed']);
    expect(world.job('j')).toMatchObject({
      state: 'paused',
      reason: '2 attempts failed, the last: the process that ran it ended',
    });
  });
});

describe('a clock that is set', () => {
  test('a clock that is set back starts no run twice, and that is reported', async () => {
    world.add({ name: 'j', cron: '0 * * * *' });
    world.start();
    await world.clock.pass(2.5 * hourMs);
    world.clock.set(-2 * hourMs);
    await world.clock.pass(3 * hourMs);
    expect(dueOf('j')).toEqual(['01:00:00 completed', '02:00:00 completed', '03:00:00 completed']);
    expect(world.reports.filter(({ kind }) => kind === 'clock-set-back')).toHaveLength(1);
  });

  test('a clock that is set back does not delay a retry', async () => {
    world.fateOf = (_job, nth) => ({ ms: 1000, outcome: nth === 0 ? 'failed' : 'completed' });
    world.add({ name: 'j', cron: '0 12 * * *' });
    world.start();
    await world.clock.pass(12 * hourMs + 5000);
    world.clock.set(-10 * hourMs);
    await world.clock.pass(2 * minuteMs);
    expect(attemptsOf('j')).toEqual(['1 failed', '2 completed']);
  });

  test('a clock that is set forward starts a run that is not too late, and records those that were missed', async () => {
    world.add({ name: 'j', cron: '0 * * * *' });
    world.start();
    await world.clock.pass(30 * minuteMs);
    world.clock.set(2 * hourMs + 32 * minuteMs);
    await world.clock.pass(minuteMs);
    expect(dueOf('j')).toEqual(['01:00:00 missed', '02:00:00 missed', '03:00:00 completed']);
  });

  test('a job continues when it is resumed after the clock was far in the future', async () => {
    const { id } = world.add({ name: 'j', cron: '0 * * * *' });
    world.start();
    await world.clock.pass(minuteMs);
    world.clock.set(100 * 366 * 24 * hourMs);
    await world.clock.pass(minuteMs);
    world.clock.set(-100 * 366 * 24 * hourMs);
    await world.clock.pass(minuteMs);
    world.store.jobs.change(id, { checkedAt: world.clock.now() });
    await world.clock.pass(hourMs);
    expect(startsOf('j').at(-1)).toBe('01:00:00');
  });

  test('a machine that slept starts a run that is not too late when it wakes up', async () => {
    world.add({ name: 'j', cron: '0 1 * * *' });
    world.start();
    await world.clock.pass(30 * minuteMs);
    world.clock.sleep(32 * minuteMs);
    await world.clock.pass(minuteMs);
    expect(startsOf('j')).toEqual(['01:02:00']);
  });
});

describe('a run by hand', () => {
  test('a run by hand starts at once, and its failure does not pause the job', async () => {
    world.fateOf = () => ({ ms: 1000, outcome: 'failed' });
    world.add({ name: 'j', cron: '0 12 * * *', retries: 0 });
    const runner = world.start();
    expect(runner.runNow(world.job('j'))).toMatchObject({ attempt: 0, dueAt: midnight, outcome: null });
    expect(() => runner.runNow(world.job('j'))).toThrow(
      "the run started by hand at 2026-01-01T00:00:00.000Z of job 'j' is under way",
    );
    await world.clock.pass(hourMs);
    expect(attemptsOf('j')).toEqual(['0 failed']);
    expect(world.job('j')).toMatchObject({ state: 'active', retry: null });
  });

  test('a run by hand on the command line reports the command in its way', async () => {
    world.add({ name: 'j', cron: '0 12 * * *' });
    const inTheWay = new VnmError('conflict', "VN 'j' is in use by 'plan'");
    const parts = {
      store: world.store,
      clock: world.clock,
      migrate: () => Promise.reject(inTheWay),
      isHeld: () => false,
      signal: new AbortController().signal,
      onError: () => {},
    };
    const holder = { host: 'here', boot: '1', pid: 1, processStart: '1' };
    const { run, error } = await runOnce(parts, world.job('j'), { holder, isDead: () => false });
    expect(run).toMatchObject({ attempt: 0, outcome: 'failed', message: inTheWay.message });
    expect(error).toBe(inTheWay);
    expect(world.job('j').state).toBe('active');
  });

  test('a due run is skipped while a run by hand is under way', async () => {
    world.fateOf = () => ({ ms: 2 * minuteMs });
    world.add({ name: 'j', cron: '0 1 * * *' });
    const runner = world.start();
    await world.clock.pass(59 * minuteMs);
    runner.runNow(world.job('j'));
    await world.clock.pass(hourMs);
    expect(world.runs('j')).toMatchObject([
      { attempt: 0, outcome: 'completed' },
      { outcome: 'skipped', message: 'the run started by hand at 2026-01-01T00:59:00.000Z was still under way' },
    ]);
  });
});

test('listeners that fail do not stop the jobs', async () => {
  world.add({ name: 'j', cron: '* * * * *' });
  world.reports.push = () => {
    throw new Error('the log is full');
  };
  world.start();
  await world.clock.pass(2.5 * minuteMs);
  expect(attemptsOf('j')).toEqual(['1 completed', '1 completed']);
  expect(world.errors.splice(0)).toHaveLength(4);
});

test('two services on one database start no run twice', async () => {
  world.add({ name: 'j', cron: '*/10 * * * *' });
  world.start();
  const second = world.start();
  for (let minute = 0; minute < 60; minute += 1) {
    second.tick();
    await world.clock.pass(minuteMs);
  }
  await world.clock.pass(minuteMs);
  expect(startsOf('j')).toHaveLength(6);
  expect(attemptsOf('j')).toEqual(Array(6).fill('1 completed'));
});

test('a read of the database that fails is retried', async () => {
  const { list } = world.store.jobs;
  world.add({ name: 'j', cron: '* * * * *' });
  world.start();
  await world.clock.pass(minuteMs - 1000);
  Object.assign(world.store.jobs, {
    list: () => {
      throw new Error('database is locked');
    },
  });
  await world.clock.pass(10_000);
  Object.assign(world.store.jobs, { list });
  await world.clock.pass(2000);
  expect(startsOf('j')).toHaveLength(1);
  expect(world.errors.splice(0).length).toBeGreaterThan(5);
});
