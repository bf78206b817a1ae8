/** The service's own metrics, by name. Every label is a name of the database or one of a few words of the program. */
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
      'Migrations that ended while the service ran, whoever ran them',
      'slice',
      'vn',
      'outcome',
    ),
    phase: histogram('migration_phase_seconds', 'How long phases of migrations took', phaseBuckets, 'phase'),
    lag: histogram('redirection_lag_seconds', 'Planned start to real start', redirectionBuckets),
    execution: histogram('redirection_execution_seconds', 'Real start to effect', redirectionBuckets),
    skew: histogram(
      'redirection_skew_seconds',
      'Of a migration, lateness of its latest redirection less that of its earliest',
      redirectionBuckets,
    ),
    clockBound: histogram(
      'redirection_clock_bound_seconds',
      'Instants of a redirection are within this of the truth',
      redirectionBuckets,
    ),
    lost: counter('flow_packets_lost_total', 'Test packets lost during migrations', 'slice', 'vn', 'from', 'to'),
    sent: counter('flow_packets_sent_total', 'Test packets sent during migrations', 'slice', 'vn', 'from', 'to'),
    health: gauge('health_state', '1 up, 0.5 suspect, 0 down; absent: unknown', 'slice', 'vn', 'kind', 'name'),
    healthChanges: counter('health_changes_total', 'Changes of health, by the new state', 'slice', 'kind', 'state'),
    repairs: counter('repairs_total', 'Repairs in place', 'slice', 'outcome'),
    jobRuns: counter('job_runs_total', 'Runs of jobs', 'job', 'outcome'),
    agents: gauge('agent_info', 'Agents that the service is connected to; always 1', 'slice', 'node', 'version'),
    database: gauge('database_bytes', 'Size of the database with its write-ahead log'),
    build: gauge('build_info', 'The service; always 1', 'version', 'node_version'),
  };
}
