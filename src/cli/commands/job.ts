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

/** A service that has not said so for longer has ended. */
const seenForMs = 15_000;

export function addJob(program: Command): void {
  const job = program
    .command('job')
    .description('migrations that the service starts by itself: add, list, run, history');
  addAdd(job);
  addList(job);
  forOne(job, 'show', 'all about one job', ({ store }, found) => shown(store, found));
  forOne(job, 'pause', 'start no runs of it until it is resumed', ({ store }, { name }) =>
    shown(store, pauseJob(store, name)),
  );
  forOne(job, 'resume', 'start its runs again, from what is due next', ({ store }, { name }) =>
    shown(store, resumeJob(store, name)),
  );
  forOne(job, 'run', 'run it now, in this process', runNow);
  forOne(job, 'remove', 'forget it and its history', ({ store }, { name }) => {
    removeJob(store, name);
    return { text: `job '${name}' is gone`, json: { removed: name } };
  });
  addHistory(job);
}

function addAdd(job: Command): void {
  const command = job
    .command('add')
    .description('a migration at times that a cron pattern names, or at one')
    .argument('<name>', 'its name')
    .requiredOption('--slice <slice>', 'a slice file, or the name of a slice in the database')
    .requiredOption('--to <placement,...>', 'the placement to move to, or several to take in turn')
    .option('--vn <name>', 'which VN, when the slice has several')
    .option('--cron <pattern>', 'minute, hour, day of month, month, day of week; seconds before them if there are six')
    .option('--timezone <name>', "by which clocks the pattern is meant (default: this machine's)")
    .option('--at <instant>', 'once, like 2026-12-01T03:00Z')
    .option('--missed <policy>', 'what was due while no service ran: skip it, or run once', 'skip')
    .addOption(countOption('--retries <n>', 'how often a run that failed is tried again before the job is paused', 3))
    .addOption(
      durationOption('--retry-wait <duration>', 'before the first retry; twice as long before each further one', '60s'),
    )
    .addOption(durationOption('--latest-start <duration>', 'how long after it was due a run may still start', '5m'));
  addMigrationOptions(command).action((name: string, options: AddOptions, added: Command) =>
    runCommand(added, async ({ store }) => {
      const { name: slice } = sliceFromArgument(store, options.slice, { save: true });
      return shown(store, addJobTo(store, { name, ...inputOf(options), slice }));
    }),
  );
}

function inputOf({ to, vn, cron, at, timezone, missed, ...rest }: AddOptions) {
  return {
    to: to.split(',').map((placement) => placement.trim()),
    options: migrationOptionsIn(rest),
    ...{ vn, cron, at, timezone, missed },
    retries: rest.retries,
    retryWaitMs: rest.retryWait,
    latestStartMs: rest.latestStart,
  };
}

function addList(job: Command): void {
  job
    .command('list')
    .description('all jobs, their next runs and how the last ones ended')
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
    .description('what became of its runs, newest first')
    .argument('<name>', 'the job')
    .addOption(countOption('--limit <n>', 'how many runs', 20))
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
    .argument('<name>', 'the job')
    .action((name: string, _options: unknown, command: Command) =>
      runCommand(command, async (context) => body(context, findJob(context.store, name))),
    );
}

function shown(store: Store, job: JobRecord): Output {
  const view = jobView(store, job, Date.now());
  return { text: jobText(view, serviceText(store)), json: view };
}

/** As `migrate`: whoever works on the VN is waited for only with `--wait`. */
async function runNow(context: Context, job: JobRecord): Promise<Output> {
  const finished = await runOnce(
    {
      store: context.store,
      clock: systemJobClock,
      migrate: (_job, options) => migrateForJob(context, job, options),
      isHeld: () => false,
      signal: context.signal ?? new AbortController().signal,
      onError: (error) => context.report({ kind: 'note', text: `the database is tried again: ${String(error)}` }),
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
  return service !== undefined && Date.now() - service.seenAt <= seenForMs && !isDead(service);
}

function serviceText(store: Store): string {
  return isServed(store)
    ? 'the service runs'
    : 'no service is running: nothing starts by itself until pl-vnm serve does';
}
