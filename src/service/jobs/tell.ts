/** What happens to jobs, told in the log, in the events of the slice and in the counts. */
import { messageOf } from '../../model/errors.ts';
import type { JobRecord, RunOutcome, RunRecord } from '../../store/jobs.ts';
import type { Store } from '../../store/store.ts';
import type { LateWriter } from '../late-writer.ts';
import type { Log, LogEvent, LogFields } from '../log.ts';
import { describeRun } from './decide.ts';
import type { FinishedRun } from './run.ts';
import type { Happening } from './runner.ts';

export interface Listeners {
  readonly store: Store;
  readonly writer: LateWriter;
  readonly log: Log;
  readonly countRun: (job: string, outcome: RunOutcome) => void;
}

const bad: readonly RunOutcome[] = ['failed', 'rolled-back'];

export function tellOf(listeners: Listeners, happening: Happening): void {
  const { job } = happening;
  if (happening.kind === 'started') {
    write(listeners, 'info', 'job-started', job, `${describeRun(happening.run)} begins`);
  } else if (happening.kind === 'finished') {
    tellOfEnd(listeners, happening);
  } else if (happening.kind === 'clock-set-back') {
    const until = new Date(job.checkedAt).toISOString();
    const words = `the clock was set back: what is due until ${until} is known already; pl-vnm job resume ${job.name} does not wait`;
    write(listeners, 'warn', 'job-clock', job, words);
  } else {
    const { runs, more } = happening;
    for (const { outcome } of runs) listeners.countRun(job.name, outcome);
    const [first, ...others] = runs;
    const rest = others.length === 0 ? '' : ` and ${others.length}${more ? ' or more' : ''} others`;
    write(listeners, 'warn', `job-${first!.outcome}`, job, `${describeRun(first!)}${rest}: ${first!.message}`);
  }
}

function tellOfEnd(listeners: Listeners, { job, run, result }: FinishedRun): void {
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
    write(listeners, 'error', 'job-paused', job, `it is paused: ${job.reason}; ${goOn(job)}`);
}

/** The time of one that was due once is over. */
function goOn({ name, at }: JobRecord): string {
  return at === null ? `pl-vnm job resume ${name} goes on` : `pl-vnm job run ${name} runs it now`;
}

function next({ retry }: JobRecord, { dueAt, attempt }: RunRecord): string {
  if (retry === null || attempt === 0 || retry.dueAt !== dueAt) return '';
  return `; it is tried again at ${new Date(retry.at).toISOString()}`;
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

/** The database cannot be read or written now, or a fault of the program. */
export function tellOfError({ log }: Listeners, err: unknown): void {
  log.warn('jobs-unreadable', `jobs could not be looked at: ${messageOf(err)}`, { err });
}
