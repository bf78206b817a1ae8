/** Jobs on real nodes, run by hand, by a service, and together with other commands. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { startJobs } from '../../src/service/jobs/start.ts';
import type { JobView, RunView } from '../../src/service/jobs/view.ts';
import type { Log } from '../../src/service/log.ts';
import type { ServiceContext } from '../../src/service/watching.ts';
import { openStore } from '../../src/store/store.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');

describeAsRoot('jobs', () => {
  const own = ownTestbed(file);
  beforeAll(async () => {
    await own.vnm.ok('install', file);
  });

  const history = async (name: string) => (await own.vnm.ok<{ runs: RunView[] }>(`job history ${name}`)).runs;

  /** The part of a service that starts jobs. */
  function startService() {
    const store = openStore(own.vnm.database);
    const abort = new AbortController();
    const silent = () => {};
    const log: Log = { debug: silent, info: silent, warn: silent, error: silent };
    const context = {
      store,
      acceptNewHostKeys: false,
      report: silent,
      signal: abort.signal,
    } as unknown as ServiceContext;
    const counted: string[] = [];
    const jobs = startJobs(context, log, (job, outcome) => counted.push(`${job} ${outcome}`));
    const end = async () => {
      abort.abort();
      await jobs.ended();
      store.close();
    };
    return { store, jobs, counted, end };
  }

  it('jobs are listed with a note when no service starts them', async () => {
    const nightly = await own.vnm.ok<JobView>(
      'job add nightly --slice two --to initial,final --timezone Europe/Paris --cron',
      '0 3 * * *',
    );
    expect(nightly).toMatchObject({ name: 'nightly', to: ['initial', 'final'], cron: '0 3 * * *', state: 'active' });
    expect(await own.vnm.ok('job list')).toEqual({
      jobs: [expect.objectContaining({ name: 'nightly' })],
      service: false,
    });
    const { stdout } = await own.vnm.run('job list');
    expect(stdout).toMatch(
      /nightly +two to initial, final in turn +0 3 \* \* \* \(Europe\/Paris\) +active +\w{3}, .* 03:00 CES?T \(in /,
    );
    expect(stdout).toContain("no service is running: run 'pl-vnm serve' to start jobs when they are due");
    expect(await own.vnm.ok('job pause nightly')).toMatchObject({ state: 'paused', reason: 'by hand', nextRuns: [] });
    expect(await own.vnm.ok('job resume nightly')).toMatchObject({ state: 'active', reason: null });
    expect(await own.vnm.json('job add nightly --slice two --to final --cron', '0 3 * * *')).toMatchObject({
      code: 1,
      json: { error: { code: 'conflict', message: "job 'nightly' already exists" } },
    });
    expect(await own.vnm.json('job add other --slice two --to final --cron', '61 3 * * *')).toMatchObject({
      code: 3,
      json: { error: { message: "invalid cron pattern '61 3 * * *': minute: 61 is a invalid expression for minute" } },
    });
  });

  it('a job that is run by hand migrates from one placement to the next', async () => {
    expect(await own.vnm.ok<MigrateResult>('job run nightly')).toMatchObject({
      from: 'initial',
      to: 'final',
      outcome: 'completed',
    });
    expect(await own.vnm.ok<MigrateResult>('job run nightly')).toMatchObject({ from: 'final', to: 'initial' });
    const runs = await history('nightly');
    expect(runs).toMatchObject([
      { attempt: 0, placement: 'initial', outcome: 'completed', message: null },
      { attempt: 0, placement: 'final', outcome: 'completed' },
    ]);
    const { migrations } = await own.vnm.ok<{ migrations: { id: number }[] }>('status two');
    expect(runs.map(({ migration }) => migration)).toEqual(migrations.slice(0, 2).map(({ id }) => id));
    await own.vnm.ok('job add there --slice two --to initial --at 2100-01-01T00:00Z');
    const { code, stdout } = await own.vnm.run('job run there');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "nothing to do: VN 'two' is already on placement 'initial'\n",
    });
  });

  it('an interrupted run of a job is recorded and undone', async () => {
    const running = own.vnm.start('job run nightly');
    await running.said('- set up\n');
    running.interrupt();
    expect((await running.finished).code).toBe(130);
    expect((await history('nightly'))[0]).toMatchObject({ outcome: 'rolled-back', message: 'interrupted' });
  });

  it('a service starts jobs when they are due, after other commands on the VN, and finishes a killed migration', async () => {
    const killed = own.vnm.start('job run nightly');
    await killed.said('- measure\n');
    killed.kill();
    await killed.finished;
    const { store, jobs, counted, end } = startService();
    try {
      while (counted.length === 0) await sleep(50);
      expect(counted).toEqual(['nightly failed']);
      expect((await history('nightly'))[0]).toMatchObject({
        outcome: 'failed',
        message: 'the process that ran it ended',
      });
      const at = new Date(Date.now() + 1000).toISOString();
      await jobs.api.add({ name: 'soon', slice: 'two', to: ['initial'], at });
      while ((await jobs.api.show('soon')).state === 'active') await sleep(50);
      // The killed migration is finished, and then the VN migrates to the placement of the job.
      expect(await jobs.api.history('soon', 5)).toMatchObject([{ dueAt: at, attempt: 1, outcome: 'completed' }]);
      expect(store.instances.active('two', 'two')?.placementName).toBe('initial');
      expect(await own.vnm.ok('verify two')).toMatchObject({ ok: true });
      expect(await own.vnm.ok('job remove soon')).toEqual({ removed: 'soon' });
    } finally {
      await end();
    }
  });

  it('a job that finishes a killed migration to the same placement is done then', async () => {
    const killed = own.vnm.start('migrate two --to final');
    await killed.said('- measure\n');
    killed.kill();
    await killed.finished;
    const { store, jobs, end } = startService();
    try {
      const at = new Date(Date.now() + 500).toISOString();
      await jobs.api.add({ name: 'on', slice: 'two', to: ['final'], at });
      while ((await jobs.api.show('on')).state === 'active') await sleep(50);
      const [run] = await jobs.api.history('on', 1);
      expect(run).toMatchObject({ outcome: 'completed', placement: 'final', migration: expect.any(Number) });
      const [last, before] = store.migrations.list('two', 2);
      expect(last).toMatchObject({ id: run!.migration, from: 'initial', to: 'final', outcome: 'completed' });
      expect(before).toMatchObject({ to: 'initial' });
      expect(store.instances.active('two', 'two')?.placementName).toBe('final');
    } finally {
      await end();
    }
  });
});
