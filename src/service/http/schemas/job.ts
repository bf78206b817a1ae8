import * as z from 'zod';
import { migrationOptions } from '../../../controller/migration/options.ts';
import type { JobView, RunView } from '../../jobs/view.ts';
import { instant, ms } from './common.ts';

export const runView = z.object({
  dueAt: instant,
  attempt: z.number().describe('From 1; 0: started by hand'),
  placement: z.string().nullable().describe('With a job that moves one router, the node'),
  startedAt: instant.nullable(),
  finishedAt: instant.nullable(),
  outcome: z.string().nullable().describe('null: under way'),
  migration: z.number().nullable().describe('Id of the migration'),
  message: z.string().nullable(),
}) satisfies z.ZodType<RunView>;

export const jobView = z.object({
  name: z.string(),
  slice: z.string(),
  vn: z.string(),
  router: z.string().nullable().describe('The only router that it moves; null: all'),
  to: z.array(z.string()).readonly().describe('Placements, used in turn; with router, nodes'),
  cron: z.string().nullable(),
  at: instant.nullable(),
  timezone: z.string(),
  options: migrationOptions.describe('Options of its migrations'),
  missed: z.enum(['skip', 'once']),
  retries: z.number(),
  retryWaitMs: ms,
  latestStartMs: ms,
  state: z.enum(['active', 'paused', 'done']),
  reason: z.string().nullable().describe('Why it is paused, or ended without a run'),
  createdAt: instant,
  nextRuns: z.array(z.object({ at: instant, words: z.string() })),
  retry: z.object({ dueAt: instant, attempt: z.number(), at: instant }).nullable(),
  lastRun: runView.nullable(),
}) satisfies z.ZodType<Record<keyof JobView, unknown>>;
