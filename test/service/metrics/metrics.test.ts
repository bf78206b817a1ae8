import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../../../src/service/metrics/metrics.ts';
import { readSlice } from '../../../src/slicefile/index.ts';
import type { HealthRecord } from '../../../src/store/health.ts';
import { openStore, type Store } from '../../../src/store/store.ts';
import { flow, migrationStart, redirection } from '../../support/migrations.ts';
import { gallery } from '../../support/slices.ts';
import { temporaryStore } from '../../support/temporary-store.ts';
import { type Exposition, parseExposition } from '../support/exposition.ts';

let store: Store;
let remove: () => void;
let metrics: Metrics;
let agents: { slice: string; node: string; version: string }[];
let jobs: string[];

beforeEach(() => {
  ({ store, remove } = temporaryStore());
  store.slices.save(readSlice(gallery('three-node')));
  agents = [];
  jobs = [];
  metrics = createMetrics(store, { agents: () => agents, jobs: () => jobs }, { version: '1.2.3' });
});
afterEach(() => remove());

const scrape = async (): Promise<Exposition> => parseExposition(await metrics.exposition());
const three = { slice: 'three', vn: 'three' };

/** Adds a migration that has ended, as another process might do. */
function migrate(change: Parameters<typeof migrationStart>[0] = {}, by: Store = store): void {
  const id = by.migrations.start(migrationStart(change));
  by.migrations.phase(id, 'set up', 1000);
  by.migrations.phase(id, 'redirect', 1400);
  by.migrations.saveRedirections(id, [
    redirection('ga', 5000, 0.3, 0.2, 0.15),
    redirection('gb', 5000, 1.3, 0.2, 0.05),
    redirection('gc', 5010, 0.1, 0.1, 0.25),
  ]);
  by.migrations.saveFlows(id, [flow('ea', 'eb', 1000, 7), flow('eb', 'ea', 500, 0)]);
  by.migrations.finish(id, 'completed', 3400);
}

test('the metrics have the documented names and types', async () => {
  const { types } = await scrape();
  expect(Object.fromEntries([...types].filter(([name]) => name.startsWith('pl_vnm_')))).toEqual({
    pl_vnm_migrations_total: 'counter',
    pl_vnm_migration_phase_seconds: 'histogram',
    pl_vnm_redirection_lag_seconds: 'histogram',
    pl_vnm_redirection_execution_seconds: 'histogram',
    pl_vnm_redirection_skew_seconds: 'histogram',
    pl_vnm_redirection_clock_bound_seconds: 'histogram',
    pl_vnm_flow_packets_lost_total: 'counter',
    pl_vnm_flow_packets_sent_total: 'counter',
    pl_vnm_health_state: 'gauge',
    pl_vnm_health_changes_total: 'counter',
    pl_vnm_repairs_total: 'counter',
    pl_vnm_job_runs_total: 'counter',
    pl_vnm_agent_info: 'gauge',
    pl_vnm_database_bytes: 'gauge',
    pl_vnm_build_info: 'gauge',
  });
  for (const name of ['nodejs_eventloop_lag_seconds', 'process_resident_memory_bytes', 'process_open_fds'])
    expect(types.get(name), name).toBe('gauge');
});

test('a migration counts with its phases, redirections and flows, in seconds', async () => {
  migrate();
  const got = await scrape();
  expect(got.value('pl_vnm_migrations_total', { ...three, outcome: 'completed' })).toBe(1);
  expect(got.value('pl_vnm_migrations_total', { ...three, outcome: 'failed' })).toBe(0);
  expect(got.value('pl_vnm_migration_phase_seconds_sum', { phase: 'set up' })).toBeCloseTo(0.4);
  expect(got.value('pl_vnm_migration_phase_seconds_sum', { phase: 'redirect' })).toBeCloseTo(2);
  expect(got.value('pl_vnm_redirection_lag_seconds_count')).toBe(3);
  expect(got.value('pl_vnm_redirection_lag_seconds_sum')).toBeCloseTo(0.0017);
  expect(got.value('pl_vnm_redirection_lag_seconds_bucket', { le: '0.0002' })).toBe(1);
  expect(got.value('pl_vnm_redirection_lag_seconds_bucket', { le: '0.0005' })).toBe(2);
  expect(got.value('pl_vnm_redirection_execution_seconds_sum')).toBeCloseTo(0.0005);
  expect(got.value('pl_vnm_redirection_clock_bound_seconds_sum')).toBeCloseTo(0.00045);
  // The latest redirection is 1.5 ms late, the earliest 0.2 ms.
  expect(got.value('pl_vnm_redirection_skew_seconds_count')).toBe(1);
  expect(got.value('pl_vnm_redirection_skew_seconds_sum')).toBeCloseTo(0.0013);
  expect(got.value('pl_vnm_flow_packets_lost_total', { ...three, from: 'ea', to: 'eb' })).toBe(7);
  expect(got.value('pl_vnm_flow_packets_sent_total', { ...three, from: 'ea', to: 'eb' })).toBe(1000);
  expect(got.value('pl_vnm_flow_packets_lost_total', { ...three, from: 'eb', to: 'ea' })).toBe(0);
});

test('a migration counts once however often the metrics are read, also one of another process', async () => {
  migrate();
  metrics.collect();
  metrics.collect();
  await scrape();
  const other = openStore(store.path);
  migrate({}, other);
  other.close();
  const [one, two] = await Promise.all([scrape(), scrape()]);
  for (const got of [one, two, await scrape()]) {
    expect(got.value('pl_vnm_migrations_total', { ...three, outcome: 'completed' })).toBe(2);
    expect(got.value('pl_vnm_redirection_lag_seconds_count')).toBe(6);
    expect(got.value('pl_vnm_flow_packets_sent_total', { ...three, from: 'ea', to: 'eb' })).toBe(2000);
  }
});

test('a restarted service counts what ends after its start', async () => {
  migrate();
  metrics = createMetrics(store, { agents: () => [], jobs: () => [] }, { version: '1.2.4' });
  migrate();
  expect((await scrape()).value('pl_vnm_migrations_total', { ...three, outcome: 'completed' })).toBe(1);
});

test('a migration with one redirection has no skew', async () => {
  const id = store.migrations.start(migrationStart());
  store.migrations.saveRedirections(id, [redirection('ga', 5000, 0.3, 0.2)]);
  store.migrations.finish(id, 'rolled-back', 6000);
  const got = await scrape();
  expect(got.value('pl_vnm_redirection_skew_seconds_count')).toBe(0);
  expect(got.value('pl_vnm_migrations_total', { ...three, outcome: 'rolled-back' })).toBe(1);
});

test('the counters of a VN exist before they count', async () => {
  const got = await scrape();
  expect(got.series('pl_vnm_migrations_total').map(({ labels, value }) => [labels.outcome, value])).toEqual([
    ['completed', 0],
    ['rolled-back', 0],
    ['failed', 0],
  ]);
});

test('the counters of repairs and job runs exist before they count', async () => {
  jobs = ['nightly'];
  const got = await scrape();
  expect(got.value('pl_vnm_repairs_total', { slice: 'three', outcome: 'limited' })).toBe(0);
  expect(got.value('pl_vnm_job_runs_total', { job: 'nightly', outcome: 'failed' })).toBe(0);
  metrics.countRepair('three', 'limited');
  expect((await scrape()).value('pl_vnm_repairs_total', { slice: 'three', outcome: 'limited' })).toBe(1);
});

test('health is a number for each thing, and absent while unknown', async () => {
  const record = (name: string, state: HealthRecord['state']): HealthRecord => ({
    vn: name === 'n9' ? '' : 'three',
    kind: name === 'n9' ? 'node' : 'tunnel',
    name,
    state,
    since: 1,
    cause: 'why',
  });
  const records = [record('n9', 'down'), record('a-b', 'up'), record('b-c', 'suspect'), record('a-c', 'unknown')];
  store.health.save('three', records);
  const got = await scrape();
  expect(got.value('pl_vnm_health_state', { slice: 'three', vn: '', kind: 'node', name: 'n9' })).toBe(0);
  expect(got.value('pl_vnm_health_state', { ...three, kind: 'tunnel', name: 'a-b' })).toBe(1);
  expect(got.value('pl_vnm_health_state', { ...three, kind: 'tunnel', name: 'b-c' })).toBe(0.5);
  expect(got.series('pl_vnm_health_state')).toHaveLength(3);
  store.health.save('three', [record('a-b', 'unknown')]);
  expect((await scrape()).series('pl_vnm_health_state')).toEqual([]);
});

test('health changes, repairs and job runs are counted', async () => {
  jobs = ['nightly'];
  metrics.countHealthChange('three', 'tunnel', 'down');
  metrics.countHealthChange('three', 'tunnel', 'down');
  metrics.countRepair('three', 'repaired');
  metrics.countJobRun('nightly', 'completed');
  const got = await scrape();
  expect(got.value('pl_vnm_health_changes_total', { slice: 'three', kind: 'tunnel', state: 'down' })).toBe(2);
  expect(got.value('pl_vnm_repairs_total', { slice: 'three', outcome: 'repaired' })).toBe(1);
  expect(got.value('pl_vnm_job_runs_total', { job: 'nightly', outcome: 'completed' })).toBe(1);
});

test('the metrics show the connected agents, the build and the size of the database', async () => {
  agents = [{ slice: 'three', node: 'n1', version: '1.2.3' }];
  const got = await scrape();
  expect(got.value('pl_vnm_agent_info', agents[0])).toBe(1);
  expect(got.value('pl_vnm_build_info', { version: '1.2.3', node_version: process.version })).toBe(1);
  expect(got.value('pl_vnm_database_bytes')).toBeGreaterThan(4096);
  agents = [{ slice: 'three', node: 'n1', version: '1.2.4' }];
  expect((await scrape()).series('pl_vnm_agent_info').map(({ labels }) => labels.version)).toEqual(['1.2.4']);
});

test('the series of removed objects are dropped', async () => {
  jobs = ['nightly'];
  agents = [{ slice: 'three', node: 'n1', version: '1.2.3' }];
  migrate();
  metrics.countHealthChange('three', 'node', 'up');
  metrics.countRepair('three', 'repaired');
  metrics.countJobRun('nightly', 'completed');
  store.slices.save(readSlice(gallery('two-node')));
  await scrape();

  const slice = readSlice(gallery('three-node'));
  const vn = slice.vns[0]!;
  store.slices.save({ ...slice, vns: [{ ...vn, flows: vn.flows.filter(({ from }) => from !== 'ea') }] });
  const fewer = await scrape();
  expect(fewer.series('pl_vnm_flow_packets_sent_total').map(({ labels }) => labels.from)).toEqual(['eb']);

  store.slices.remove('three');
  jobs = [];
  agents = [];
  const { samples } = await scrape();
  expect(samples.filter(({ labels }) => labels.slice === 'three' || labels.job !== undefined)).toEqual([]);
  expect(samples.filter(({ labels }) => labels.slice === 'two').length).toBeGreaterThan(0);
});

test('a count for a removed slice or job does not bring its series back', async () => {
  metrics.countRepair('gone', 'repaired');
  metrics.countJobRun('gone', 'failed');
  migrate({ slice: 'gone', vn: 'gone' });
  const { samples } = await scrape();
  expect(samples.filter(({ labels }) => Object.values(labels).includes('gone'))).toEqual([]);
});
