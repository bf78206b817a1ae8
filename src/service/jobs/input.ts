/** Reads and validates a new job. */
import * as z from 'zod';
import { chooseVn } from '../../controller/base/resolve.ts';
import { refuseOptions } from '../../controller/migrate.ts';
import { migrationOptions, usualOptions } from '../../controller/migration/options.ts';
import { VnmError } from '../../model/errors.ts';
import type { NewJob } from '../../store/jobs.ts';
import type { Store } from '../../store/store.ts';
import { nextDue } from './due.ts';
import { parsePattern } from './pattern.ts';
import { localZone, zoneOf } from './zone.ts';

const dayMs = 86_400_000;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const instantPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

export const jobInputSchema = z.strictObject({
  name: z.string().regex(namePattern, 'must be 1 to 64 of A-Z, a-z, 0-9, _ and -, beginning with a letter or digit'),
  slice: z.string(),
  vn: z.string().optional(),
  /** Placements, used in turn; with `router`, nodes. */
  to: z.array(z.string()).min(1).max(64),
  router: z.string().min(1).max(200).optional(),
  cron: z.string().max(200).optional(),
  at: z.string().regex(instantPattern, 'must be a time with its UTC offset, like 2026-12-01T03:00Z').optional(),
  timezone: z.string().max(64).optional(),
  options: migrationOptions.default(usualOptions),
  missed: z.enum(['skip', 'once']).default('skip'),
  retries: z.int().min(0).max(100).default(3),
  retryWaitMs: z.int().min(1000).max(3_600_000).default(60_000),
  latestStartMs: z.int().min(1000).max(dayMs).default(300_000),
});

/**
 * Reads a job from its input. Throws VnmError `invalid-input` or `not-found` for an invalid job; one error names all
 * fields that have an invalid format.
 */
export function readJob(store: Store, input: unknown, nowMs: number): NewJob {
  const parsed = jobInputSchema.safeParse(input);
  if (!parsed.success) throw faultsOf(parsed.error);
  const { name, router, to, missed, retries, retryWaitMs, latestStartMs, options } = parsed.data;
  const timezone = parsed.data.timezone ?? localZone();
  zoneOf(timezone);
  const timing = readTiming(parsed.data, timezone, nowMs);
  const slice = store.slices.find(parsed.data.slice);
  if (slice === undefined) throw unknownSlice(store, parsed.data.slice);
  const vn = chooseVn(slice, parsed.data.vn);
  for (const goal of to)
    refuseOptions(slice, vn, { ...options, to: goal, ...(router === undefined ? {} : { router }) });
  if (new Set(to).size < to.length) {
    const what = router === undefined ? 'placement' : 'node';
    throw new VnmError('invalid-input', `invalid job: duplicate ${what} in ${to.join(', ')}`);
  }
  const policies = { missed, retries, retryWaitMs, latestStartMs };
  return {
    name,
    slice: slice.name,
    vn: vn.name,
    router: router ?? null,
    placements: to,
    ...timing,
    options: JSON.stringify(options),
    ...policies,
  };
}

function readTiming(
  { cron, at }: { cron?: string | undefined; at?: string | undefined },
  timezone: string,
  nowMs: number,
) {
  if ((cron === undefined) === (at === undefined)) {
    const fault = cron === undefined ? 'neither cron nor at is given' : 'both cron and at are given';
    throw new VnmError('invalid-input', `invalid job: ${fault}`, {
      hint: 'give either cron, like "0 3 * * 1", or at, like 2026-12-01T03:00Z',
    });
  }
  if (cron !== undefined) {
    parsePattern(cron);
    const timing = { cron, at: null, timezone };
    if (nextDue(timing, nowMs, 1).length > 0) return timing;
    throw new VnmError('invalid-input', `invalid cron pattern '${cron}': it is never due`);
  }
  const instant = parseInstant(at!);
  if (instant > nowMs) return { cron: null, at: instant, timezone };
  throw new VnmError('invalid-input', `invalid time ${new Date(instant).toISOString()}: it is in the past`, {
    hint: `choose a time after ${new Date(nowMs).toISOString()}, or run \`pl-vnm migrate\` to move the VN now`,
  });
}

function parseInstant(text: string): number {
  const instant = Date.parse(text);
  // Date.parse takes 30 February for 2 March.
  const [year, month, day] = text.slice(0, 10).split('-').map(Number);
  const isDay = new Date(Date.UTC(year!, month! - 1, day)).getUTCDate() === day;
  if (isDay && !Number.isNaN(instant)) return instant;
  throw new VnmError('invalid-input', `invalid time '${text}': no such date or time of day`);
}

function unknownSlice(store: Store, name: string): VnmError {
  const names = store.slices.names();
  return new VnmError('not-found', `there is no slice '${name}' in ${store.path}`, {
    hint: names.length === 0 ? 'install a slice first' : `choose one of: ${names.join(', ')}`,
  });
}

function faultsOf({ issues }: z.ZodError): VnmError {
  const faults = issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
  return new VnmError('invalid-input', `invalid job: ${faults.join('; ')}`);
}
