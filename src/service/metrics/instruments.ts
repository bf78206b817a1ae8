/** The service's own metrics. Every label is a name from the database or one of a few fixed words. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** 0.05 ms to 5 s. */
const redirectionBuckets = [5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const phaseBuckets = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];

export type Instruments = ReturnType<typeof createInstruments>;

export function createInstruments(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter<L>({ name: `pl_vnm_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge<L>({ name: `pl_vnm_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram<L>({ name: `pl_vnm_${name}`, help, buckets, labelNames, registers });
  return {
    migrations: counter(
      'migrations_total',
      'Migrations that ended while the service ran, by any process',
      'slice',
      'vn',
      'outcome',
    ),
    phase: histogram('migration_phase_seconds', 'Duration of the phases of migrations', phaseBuckets, 'phase'),
    lag: histogram('redirection_lag_seconds', 'Time from the planned start to the real start', redirectionBuckets),
    execution: histogram('redirection_execution_seconds', 'Time from the real start to the effect', redirectionBuckets),
    skew: histogram(
      'redirection_skew_seconds',
      'Difference between the latest and the earliest redirection of a migration, each relative to its plan',
      redirectionBuckets,
    ),
    clockBound: histogram(
      'redirection_clock_bound_seconds',
      'Largest error of the instants of a redirection',
      redirectionBuckets,
    ),
    lost: counter('flow_packets_lost_total', 'Test packets lost during migrations', 'slice', 'vn', 'from', 'to'),
    sent: counter('flow_packets_sent_total', 'Test packets sent during migrations', 'slice', 'vn', 'from', 'to'),
    health: gauge('health_state', '1: up, 0.5: suspect, 0: down, absent: unknown', 'slice', 'vn', 'kind', 'name'),
    healthChanges: counter('health_changes_total', 'Health changes by new state', 'slice', 'kind', 'state'),
    repairs: counter('repairs_total', 'Repairs in place', 'slice', 'outcome'),
    jobRuns: counter('job_runs_total', 'Job runs', 'job', 'outcome'),
    agents: gauge('agent_info', 'Agents connected to the service; always 1', 'slice', 'node', 'version'),
    database: gauge('database_bytes', 'Size of the database with its write-ahead log'),
    build: gauge('build_info', 'The service; always 1', 'version', 'node_version'),
  };
}
