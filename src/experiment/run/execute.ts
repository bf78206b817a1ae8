/** Carries out one run: clean state, conditions, traffic, migration; keeps everything that was observed. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from '../../controller/base/context.ts';
import { migrate } from '../../controller/migrate.ts';
import { migrateResultView } from '../../controller/views/migration.ts';
import { messageOf } from '../../model/errors.ts';
import { isoInstant } from '../../model/instant.ts';
import type { Experiment, Traffic } from '../file/experiment.ts';
import { optionsWith, type Parameters, rowOf, staysInPlace, valuesOf } from '../parameters/index.ts';
import type { InstalledVn } from '../parameters/parameter.ts';
import { formatCsv } from '../table.ts';
import { underConditions } from './conditions.ts';
import { startIperf } from './iperf3.ts';
import { type FlowCounts, flowTable, type RunResult, redirectionTable, valuesOfRun } from './measures.ts';
import { endsOf, type Nodes } from './nodes.ts';
import type { Execute, Found } from './runner.ts';
import { stay } from './stay.ts';

/** Returns what carries out the runs of an experiment on its nodes. */
export function executeOn(nodes: Nodes, experiment: Experiment): Execute {
  return async ({ run, combination: { parameters } }, directory, signal) => {
    const record = recorderIn(directory);
    record({ kind: 'phase', text: 'reach the clean state' });
    const installed = await nodes.prepare(parameters, record);
    const measured = { run, directory, experiment, parameters, record };
    try {
      // In the order of the table.
      const setUps = valuesOf(parameters).map(
        ([name, value]) =>
          () =>
            rowOf(name).setUp?.(value, installed),
      );
      // What the run measured counts; the next one begins on nodes that are cleaned thoroughly.
      const found = await underConditions(
        setUps,
        () => measure(installed, measured),
        (fault) => {
          nodes.distrust();
          record({ kind: 'note', text: `not cleaned up after the run: ${messageOf(fault)}` });
        },
      );
      if (found.outcome !== 'completed') nodes.distrust();
      signal.throwIfAborted();
      return found;
    } catch (error) {
      nodes.distrust();
      signal.throwIfAborted();
      record({ kind: 'note', text: `failed: ${messageOf(error)}` });
      return { outcome: 'failed', startedAt: null, error: messageOf(error), values: {} };
    }
  };
}

/** Writes what is reported into `events.jsonl`, a line each: `at` (ISO 8601 in UTC), `kind`, `text`. */
function recorderIn(directory: string): (progress: Progress) => void {
  const file = join(directory, 'events.jsonl');
  return ({ kind, text }) => appendFileSync(file, `${JSON.stringify({ at: isoInstant(Date.now()), kind, text })}\n`);
}

interface Measured {
  readonly run: number;
  readonly directory: string;
  readonly experiment: Experiment;
  readonly parameters: Parameters;
  readonly record: (progress: Progress) => void;
}

async function measure(installed: InstalledVn, measured: Measured): Promise<Found> {
  const { context, slice, vn } = installed;
  const { run, directory, experiment, parameters } = measured;
  const { to } = endsOf(experiment, parameters);
  const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
  const options = { ...optionsWith(vn, parameters), to, traffic: experiment.traffic.by === 'built-in' };
  let startedAt = Date.now();
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  const move = async (): Promise<RunResult> => {
    startedAt = Date.now();
    if (staysInPlace(parameters)) return stay(installed, mtu, options.traffic);
    const migrated = await migrate(context, slice, vn, options);
    write('raw/migrate.json', `${JSON.stringify(migrateResultView(migrated), null, 2)}\n`);
    return migrated;
  };
  const { result, counts, problem } = await underTraffic(installed, measured, experiment.traffic, mtu, move);
  write('redirections.csv', formatCsv(redirectionTable(run, result)));
  write('flows.csv', formatCsv(flowTable(run, vn, mtu, result, counts)));
  const started = isoInstant(startedAt);
  const values = valuesOfRun(vn, result, counts);
  if (result.outcome !== 'completed') {
    const outcome = result.outcome === 'rolled-back' ? 'rolled-back' : 'failed';
    return { outcome, startedAt: started, error: result.error ?? `the migration ended as ${result.outcome}`, values };
  }
  const error = problem ?? problemOf(result);
  if (error !== undefined) return { outcome: 'failed', startedAt: started, error, values };
  return { outcome: 'completed', startedAt: started, error: null, values };
}

/** A migration may complete although some pairs had not reached each other before it. */
function problemOf({ unproven }: RunResult): string | undefined {
  if (unproven === undefined) return undefined;
  return `not proven to reach each other: ${unproven.map(({ from, to }) => `${from} -> ${to}`).join(', ')}`;
}

async function underTraffic(
  installed: InstalledVn,
  { directory, record }: Measured,
  traffic: Traffic,
  mtu: number,
  move: () => Promise<RunResult>,
): Promise<{ result: RunResult; counts: readonly FlowCounts[]; problem?: string }> {
  if (traffic.by !== 'iperf3') {
    const result = await move();
    const isUncounted = traffic.by === 'built-in' && result.outcome === 'completed' && result.flows.length === 0;
    return { result, counts: result.flows, ...(isUncounted ? { problem: 'the flows could not be counted' } : {}) };
  }
  record({ kind: 'phase', text: `iperf3 sends for ${traffic.seconds} s` });
  const iperf = await startIperf(installed, mtu, traffic.seconds, join(directory, 'raw'));
  try {
    const result = await move();
    if (iperf.isOver()) {
      const problem = `the migration took longer than the ${traffic.seconds} s that iperf3 sent: raise trafficSeconds`;
      return { result, counts: [], problem };
    }
    // What the migration measured is kept in any case.
    return await iperf.finish().then(
      (counts) => ({ result, counts }),
      (error: unknown) => ({ result, counts: [], problem: messageOf(error) }),
    );
  } finally {
    await iperf.stop();
  }
}
