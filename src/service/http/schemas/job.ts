import * as z from 'zod';
import { migrationOptions } from '../../../controller/migration/options.ts';
import type { JobView, RunView } from '../../jobs/view.ts';
import { instant, ms } from './common.ts';

export const runView = z.object({
  dueAt: instant,
  attempt: z.number().describe('From 1; 0: by hand'),
  placement: z.string().nullable(),
  startedAt: instant.nullable(),
  finishedAt: instant.nullable(),
  outcome: z.string().nullable().describe('null: it is under way'),
  migration: z.number().nullable().describe('Its id'),
  message: z.string().nullable(),
}) satisfies z.ZodType<RunView>;

export const jobView = z.object({
  name: z.string(),
  slice: z.string(),
  vn: z.string(),
  to: z.array(z.string()).readonly().describe('Placements, taken in turn'),
  cron: z.string().nullable(),
  at: instant.nullable(),
  timezone: z.string(),
  options: migrationOptions.describe('Of the migrations that it starts'),
  missed: z.enum(['skip', 'once']),
  retries: z.number(),
  retryWaitMs: ms,
  latestStartMs: ms,
  state: z.enum(['active', 'paused', 'done']),
  reason: z.string().nullable().describe('Why it is paused, or did not run before it was done'),
  createdAt: instant,
  nextRuns: z.array(z.object({ at: instant, words: z.string() })),
  retry: z.object({ dueAt: instant, attempt: z.number(), at: instant }).nullable(),
  lastRun: runView.nullable(),
}) satisfies z.ZodType<Record<keyof JobView, unknown>>;
