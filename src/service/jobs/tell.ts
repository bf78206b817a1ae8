/** Reports what happens to jobs, in the log, in the events of the slice and in the metrics. */
import { messageOf } from '../../model/errors.ts';
import type { JobRecord, RunOutcome, RunRecord } from '../../store/jobs.ts';
import type { Store } from '../../store/store.ts';
import type { LateWriter } from '../late-writer.ts';
import type { Log, LogEvent, LogFields } from '../log.ts';
import { describeRun } from './decide.ts';
import type { FinishedRun } from './run.ts';
import type { RunnerReport } from './runner.ts';

export interface Listeners {
  readonly store: Store;
  readonly writer: LateWriter;
  readonly log: Log;
  readonly countRun: (job: string, outcome: RunOutcome) => void;
}

const bad: readonly RunOutcome[] = ['failed', 'rolled-back'];

export function reportToListeners(listeners: Listeners, report: RunnerReport): void {
  const { job } = report;
  if (report.kind === 'started') {
    write(listeners, 'info', 'job-started', job, `${describeRun(report.run)} begins`);
  } else if (report.kind === 'finished') {
    reportEnd(listeners, report);
  } else if (report.kind === 'clock-set-back') {
    const until = new Date(job.checkedAt).toISOString();
    const words = `the clock was set back: no run starts before ${until}, unless you run \`pl-vnm job resume ${job.name}\``;
    write(listeners, 'warn', 'job-clock', job, words);
  } else {
    const { runs, more } = report;
    for (const { outcome } of runs) listeners.countRun(job.name, outcome);
    const [first, ...others] = runs;
    const rest = others.length === 0 ? '' : ` and ${others.length}${more ? ' or more' : ''} others`;
    write(listeners, 'warn', `job-${first!.outcome}`, job, `${describeRun(first!)}${rest}: ${first!.message}`);
  }
}

function reportEnd(listeners: Listeners, { job, run, result }: FinishedRun): void {
  const outcome = run.outcome!;
  listeners.countRun(job.name, outcome);
  const words = `${describeRun(run)}: ${outcome}${run.message === null ? '' : `, ${run.message}`}${next(job, run)}`;
  const fields = {
    ...(run.migrationId === null ? {} : { migration: run.migrationId }),
    ...(result === undefined ? {} : { ms: result.durationMs }),
  };
  if (bad.includes(outcome)) write(listeners, 'warn', 'job-failed', job, words, fields);
  else write(listeners, 'info', outcome === 'skipped' ? 'job-skipped' : 'job-finished', job, words, fields);
  if (job.state === 'paused' && run.attempt > 0 && bad.includes(outcome))
    write(listeners, 'error', 'job-paused', job, `paused: ${job.reason}; ${adviceFor(job)}`);
}

/** Says how to continue a paused job. A job for a single time cannot be resumed. */
function adviceFor({ name, at }: JobRecord): string {
  return at === null
    ? `run \`pl-vnm job resume ${name}\` to resume it`
    : `run \`pl-vnm job run ${name}\` to run it now`;
}

function next({ retry }: JobRecord, { dueAt, attempt }: RunRecord): string {
  if (retry === null || attempt === 0 || retry.dueAt !== dueAt) return '';
  return `; next attempt at ${new Date(retry.at).toISOString()}`;
}

function write(
  { store, writer, log }: Listeners,
  level: 'info' | 'warn' | 'error',
  event: LogEvent,
  { name, slice, vn }: JobRecord,
  words: string,
  fields: LogFields = {},
): void {
  const message = `job '${name}': ${words}`;
  writer.write(() => store.events.add(slice, event, message, { job: name, vn }));
  log[level](event, message, { job: name, slice, vn, ...fields });
}

/** Reports that the database cannot be read or written, or a bug in the program. */
export function reportError({ log }: Listeners, err: unknown): void {
  log.warn('jobs-unreadable', `cannot check the jobs: ${messageOf(err)}`, { err });
}
