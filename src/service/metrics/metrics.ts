import { statSync } from 'node:fs';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { HealthKind, HealthState } from '../../store/health.ts';
import { runOutcomes } from '../../store/jobs.ts';
import type { MigrationDetail } from '../../store/migrations.ts';
import type { Store } from '../../store/store.ts';
import { repairOutcomes } from '../repair.ts';
import { dropGone } from './drop-gone.ts';
import { followMigrations } from './follow-migrations.ts';
import { createInstruments, type Instruments } from './instruments.ts';
import type { MetricsSource } from './source.ts';

/** The metrics of the service for Prometheus; docs/service.md lists them. */
export interface Metrics {
  readonly contentType: string;
  /** Returns the current values in Prometheus text format. */
  exposition(): Promise<string>;
  /** Counts the migrations that have ended since the last call; `exposition` does so too. */
  collect(): void;
  countHealthChange(slice: string, kind: HealthKind, state: HealthState): void;
  /** `outcome` must be one of a few fixed words. */
  countRepair(slice: string, outcome: string): void;
  countJobRun(job: string, outcome: string): void;
}

const outcomes = ['completed', 'rolled-back', 'failed'] as const;
/** An unknown state has no value: any number would look like a state. */
const healthValues: Partial<Record<HealthState, number>> = { up: 1, suspect: 0.5, down: 0 };

export function createMetrics(store: Store, source: MetricsSource, { version }: { version: string }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const instruments = createInstruments(registry);
  const endedSince = followMigrations(store.migrations);
  instruments.build.set({ version, node_version: process.version }, 1);

  function collect(): void {
    for (const migration of endedSince()) countMigration(instruments, migration);
  }

  return {
    contentType: registry.contentType,
    exposition: async () => {
      collect();
      showCounters(instruments, store, source);
      showHealth(instruments, store);
      showAgents(instruments, source);
      instruments.database.set(bytesOf(store.path));
      await dropGone(instruments, store, source);
      return registry.metrics();
    },
    collect,
    countHealthChange: (slice, kind, state) => instruments.healthChanges.inc({ slice, kind, state }),
    countRepair: (slice, outcome) => instruments.repairs.inc({ slice, outcome }),
    countJobRun: (job, outcome) => instruments.jobRuns.inc({ job, outcome }),
  };
}

function countMigration(instruments: Instruments, migration: MigrationDetail): void {
  const { slice, vn, outcome, phases, redirections, flows } = migration;
  instruments.migrations.inc({ slice, vn, outcome: outcome! });
  for (const { name, startedAt, finishedAt } of phases) {
    if (finishedAt !== null) instruments.phase.observe({ phase: name }, (finishedAt - startedAt) / 1000);
  }
  for (const { lagMs, executionMs, clockBoundMs } of redirections) {
    instruments.lag.observe(lagMs / 1000);
    instruments.execution.observe(executionMs / 1000);
    instruments.clockBound.observe(clockBoundMs / 1000);
  }
  const late = redirections.map(({ plannedAt, finishedAt }) => finishedAt - plannedAt);
  if (late.length > 1) instruments.skew.observe((Math.max(...late) - Math.min(...late)) / 1000);
  for (const { from, to, lost, sent } of flows) {
    instruments.lost.inc({ slice, vn, from, to }, lost);
    instruments.sent.inc({ slice, vn, from, to }, sent);
  }
}

/** Creates counters at 0: Prometheus does not see the first increment of a counter that appears with it. */
function showCounters(instruments: Instruments, store: Store, source: MetricsSource): void {
  for (const job of source.jobs()) for (const outcome of runOutcomes) instruments.jobRuns.inc({ job, outcome }, 0);
  for (const slice of store.slices.names()) {
    for (const outcome of repairOutcomes) instruments.repairs.inc({ slice, outcome }, 0);
    for (const { name: vn } of store.slices.find(slice)?.vns ?? [])
      for (const outcome of outcomes) instruments.migrations.inc({ slice, vn, outcome }, 0);
  }
}

function showHealth({ health }: Instruments, store: Store): void {
  health.reset();
  for (const slice of store.slices.names()) {
    for (const { vn, kind, name, state } of store.health.list(slice)) {
      const value = healthValues[state];
      if (value !== undefined) health.set({ slice, vn, kind, name }, value);
    }
  }
}

function showAgents({ agents }: Instruments, source: MetricsSource): void {
  agents.reset();
  for (const { slice, node, version } of source.agents()) agents.set({ slice, node, version }, 1);
}

function bytesOf(path: string): number {
  return ['', '-wal'].reduce((sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0), 0);
}
