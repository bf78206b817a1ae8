/** Formats jobs and their runs for people. */

import type { JobView, RunView } from '../service/jobs/view.ts';
import { durationText } from './duration.ts';
import { migrationWords } from './migration-options.ts';
import { table } from './output.ts';
import { outcome } from './style.ts';

export function jobListText(jobs: readonly JobView[], service: string): string {
  if (jobs.length === 0) return `no jobs\n${service}`;
  const rows = jobs.map((job) => [
    job.name,
    whatText(job),
    whenText(job),
    job.state,
    nextText(job),
    job.lastRun === null ? 'none' : outcome(job.lastRun.outcome ?? 'running'),
  ]);
  const reasons = jobs.flatMap(({ name, state, reason }) =>
    reason === null ? [] : [`${name} is ${state}: ${reason}`],
  );
  return [table(['job', 'moves', 'when', 'state', 'next run', 'last run'], rows), ...reasons, service].join('\n');
}

export function jobText(job: JobView, service: string): string {
  const lines = [
    `job '${job.name}', ${job.state}${job.reason === null ? '' : `: ${job.reason}`}`,
    `  moves        ${whatText(job)}`,
    `  when         ${whenText(job)}`,
    `  migration    ${migrationWords(job.options)}`,
    `  latest start ${durationText(job.latestStartMs)} after it is due`,
    `  missed       ${job.missed === 'skip' ? 'skip' : 'run once, as soon as the service notices'}`,
    `  on failure   ${job.retries} retries, the first after ${durationText(job.retryWaitMs)}, then the job is paused`,
  ];
  if (job.retry !== null)
    lines.push(`  retry        attempt ${job.retry.attempt} of the run due at ${job.retry.dueAt}, at ${job.retry.at}`);
  const [first, ...others] = job.nextRuns;
  if (first !== undefined) lines.push(`  next runs    ${first.words}`);
  lines.push(...others.map(({ words }) => `               ${words}`));
  if (job.lastRun !== null) lines.push(`  last run     ${runText(job.lastRun)}`);
  return [...lines, service].join('\n');
}

export function historyText(name: string, runs: readonly RunView[]): string {
  if (runs.length === 0) return `job '${name}' has not run yet`;
  const rows = runs.map((run) => [
    run.dueAt,
    run.attempt === 0 ? 'by hand' : String(run.attempt),
    run.placement ?? '-',
    tookText(run),
    outcome(run.outcome ?? 'running'),
    run.migration ?? '-',
    run.message ?? '',
  ]);
  return table(['due', 'attempt', 'to', 'took', 'outcome', 'migration', 'why'], rows);
}

function whatText({ slice, vn, router, to }: JobView): string {
  const what = slice === vn ? slice : `${slice}/${vn}`;
  return `${what}${router === null ? '' : ` router ${router}`} to ${to.join(', ')}${to.length > 1 ? ' in turn' : ''}`;
}

function whenText({ cron, at, timezone }: JobView): string {
  return cron === null ? `once, ${at}` : `${cron} (${timezone})`;
}

function nextText({ nextRuns, retry }: JobView): string {
  if (retry !== null) return `retry at ${retry.at}`;
  return nextRuns[0]?.words ?? '-';
}

function runText({ dueAt, attempt, outcome: ended, message }: RunView): string {
  const what = attempt === 0 ? `by hand at ${dueAt}` : `due at ${dueAt}, attempt ${attempt}`;
  return `${what}: ${outcome(ended ?? 'running')}${message === null ? '' : `, ${message}`}`;
}

function tookText({ startedAt, finishedAt }: RunView): string {
  if (startedAt === null || finishedAt === null) return '-';
  return `${((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000).toFixed(1)} s`;
}
