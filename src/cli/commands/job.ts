import type { Command } from 'commander';
import type { Context } from '../../controller/base/context.ts';
import { isDead, thisProcess } from '../../controller/base/lock.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import type { MigrateOptions } from '../../controller/migrate.ts';
import { migrateForJob } from '../../service/job-migration.ts';
import { addJob as addJobTo, findJob, pauseJob, removeJob, resumeJob } from '../../service/jobs/actions.ts';
import { systemJobClock } from '../../service/jobs/clock.ts';
import { runOnce } from '../../service/jobs/run.ts';
import { jobView, runView } from '../../service/jobs/view.ts';
import type { JobRecord } from '../../store/jobs.ts';
import type { Store } from '../../store/store.ts';
import { historyText, jobListText, jobText } from '../job-text.ts';
import { addMigrationOptions, migrationOptionsIn } from '../migration-options.ts';
import { countOption, durationOption } from '../options.ts';
import { type Output, runCommand } from '../run.ts';
import { migrateOutput } from './migrate.ts';

interface AddOptions extends Omit<MigrateOptions, 'to'> {
  readonly slice: string;
  readonly to: string;
  readonly vn?: string;
  readonly cron?: string;
  readonly at?: string;
  readonly timezone?: string;
  readonly missed: string;
  readonly retries: number;
  readonly retryWait: number;
  readonly latestStart: number;
}

/** A service that has not reported for longer has ended. */
const reportedWithinMs = 15_000;

export function addJob(program: Command): void {
  const job = program
    .command('job')
    .description('manage migrations that the service starts: add, list, show, pause, resume, run, remove, history');
  addAdd(job);
  addList(job);
  forOne(job, 'show', 'show one job in full', ({ store }, found) => shown(store, found));
  forOne(job, 'pause', 'pause a job: start no runs until it is resumed', ({ store }, { name }) =>
    shown(store, pauseJob(store, name)),
  );
  forOne(job, 'resume', 'resume a paused job, from its next due time', ({ store }, { name }) =>
    shown(store, resumeJob(store, name)),
  );
  forOne(job, 'run', 'run a job now, in this process', runNow);
  forOne(job, 'remove', 'remove a job and its history', ({ store }, { name }) => {
    removeJob(store, name);
    return { text: `removed job '${name}'`, json: { removed: name } };
  });
  addHistory(job);
}

function addAdd(job: Command): void {
  const command = job
    .command('add')
    .description('add a job that migrates a VN at the times of a cron pattern, or once')
    .argument('<name>', 'the name of the job')
    .requiredOption('--slice <slice>', 'a slice file, or the name of a slice in the database')
    .requiredOption(
      '--to <placement,...>',
      'the placement to move to, or several to move to in turn; with --router, the nodes',
    )
    .option('--router <name>', 'the only router to move; not with --method instance')
    .option('--vn <name>', 'which VN, when the slice has several')
    .option('--cron <pattern>', 'minute, hour, day of month, month, day of week; with a sixth field first: seconds')
    .option('--timezone <name>', "the time zone of the pattern (default: this machine's)")
    .option('--at <instant>', 'run once, at an instant like 2026-12-01T03:00Z')
    .option(
      '--missed <policy>',
      'what to do about runs that were due while no service ran: skip them, or run once',
      'skip',
    )
    .addOption(countOption('--retries <n>', 'the number of retries of a failed run before the job is paused', 3))
    .addOption(
      durationOption('--retry-wait <duration>', 'the wait before the first retry; doubles for each further one', '60s'),
    )
    .addOption(durationOption('--latest-start <duration>', 'how long after its due time a run may still start', '5m'));
  addMigrationOptions(command).action((name: string, options: AddOptions, added: Command) =>
    runCommand(added, async ({ store }) => {
      const { name: slice } = sliceFromArgument(store, options.slice, { save: true });
      return shown(store, addJobTo(store, { name, ...inputOf(options), slice }));
    }),
  );
}

function inputOf({ to, router, vn, cron, at, timezone, missed, ...rest }: AddOptions) {
  return {
    to: to.split(',').map((placement) => placement.trim()),
    options: migrationOptionsIn(rest),
    ...{ router, vn, cron, at, timezone, missed },
    retries: rest.retries,
    retryWaitMs: rest.retryWait,
    latestStartMs: rest.latestStart,
  };
}

function addList(job: Command): void {
  job
    .command('list')
    .description('list all jobs, their next runs and the outcomes of their last runs')
    .action((_options: unknown, command: Command) =>
      runCommand(command, async ({ store }) => {
        const jobs = store.jobs.list().map((one) => jobView(store, one, Date.now()));
        return { text: jobListText(jobs, serviceText(store)), json: { jobs, service: isServed(store) } };
      }),
    );
}

function addHistory(job: Command): void {
  job
    .command('history')
    .description('show the runs of a job and their outcomes, newest first')
    .argument('<name>', 'the name of the job')
    .addOption(countOption('--limit <n>', 'the number of runs', 20))
    .action((name: string, { limit }: { limit: number }, command: Command) =>
      runCommand(command, async ({ store }) => {
        const runs = store.jobs.runs(findJob(store, name).id, limit).map(runView);
        return { text: historyText(name, runs), json: { runs } };
      }),
    );
}

function forOne(
  job: Command,
  verb: string,
  description: string,
  body: (context: Context, found: JobRecord) => Output | Promise<Output>,
): void {
  job
    .command(verb)
    .description(description)
    .argument('<name>', 'the name of the job')
    .action((name: string, _options: unknown, command: Command) =>
      runCommand(command, async (context) => body(context, findJob(context.store, name))),
    );
}

function shown(store: Store, job: JobRecord): Output {
  const view = jobView(store, job, Date.now());
  return { text: jobText(view, serviceText(store)), json: view };
}

/** Runs a job in this process. As in `migrate`, only `--wait` waits for another command on the VN. */
async function runNow(context: Context, job: JobRecord): Promise<Output> {
  const finished = await runOnce(
    {
      store: context.store,
      clock: systemJobClock,
      migrate: (_job, options) => migrateForJob(context, job, options),
      isHeld: () => false,
      signal: context.signal ?? new AbortController().signal,
      onError: (error) => context.report({ kind: 'note', text: `trying the database again: ${String(error)}` }),
    },
    job,
    { holder: thisProcess(), isDead },
  );
  if (finished.result !== undefined) return migrateOutput(finished.result);
  if (finished.error !== undefined) throw finished.error;
  return { text: `nothing to do: ${finished.run.message}`, json: runView(finished.run) };
}

function isServed(store: Store): boolean {
  const service = store.health.service();
  return service !== undefined && Date.now() - service.seenAt <= reportedWithinMs && !isDead(service);
}

function serviceText(store: Store): string {
  return isServed(store)
    ? 'the service is running'
    : "no service is running: run 'pl-vnm serve' to start jobs when they are due";
}
