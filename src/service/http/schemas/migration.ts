import { z } from 'zod';
import type { MigrateOptions, MigrateResult } from '../../../controller/migrate.ts';
import { scheduleNames } from '../../../planning/schedule/types.ts';
import type {
  FlowRecord,
  MigrationDetail,
  MigrationRecord,
  PhaseRecord,
  RedirectionRecord,
} from '../../../store/migrations.ts';
import { granularity, instant, ms, placement, urpf, vn } from './common.ts';

export const schedule = z.enum(scheduleNames).describe('When each gateway redirects');
const control = z
  .enum(['remote', 'gateway'])
  .describe('Who times the redirections: the gateways themselves, or the controller over SSH');
const outcome = z.enum(['completed', 'rolled-back', 'failed']);

export const migrateBody = z.strictObject({
  vn: vn.exactOptional(),
  to: placement.describe('The placement to move to'),
  control: control.default('gateway'),
  schedule: schedule.default('optimal'),
  granularity: granularity.default('gateway'),
  urpf: urpf.exactOptional(),
  traffic: z.boolean().default(false).describe("Run the slice's flows meanwhile and count what they lose"),
}) satisfies z.ZodType<Omit<MigrateOptions, 'offsetsMs'>>;

const redirection = z.object({
  gateway: z.string(),
  plannedAt: instant,
  startedAt: instant,
  finishedAt: instant,
  lagMs: ms,
  executionMs: ms,
  clockBoundMs: ms.describe('The instants are within this of the truth'),
}) satisfies z.ZodType<RedirectionRecord>;

const flow = z.object({
  from: z.string(),
  to: z.string(),
  sent: z.number(),
  received: z.number(),
  lost: z.number(),
  reordered: z.number(),
  duplicated: z.number(),
  maxGapMs: ms,
  minLatencyMs: ms.nullable(),
  maxLatencyMs: ms.nullable(),
  predictedLost: z.number().nullable(),
  predictedAddedDelayMs: ms.nullable(),
}) satisfies z.ZodType<FlowRecord>;

export const move = z.object({ router: z.string(), from: z.string(), to: z.string() });

export const migrateResult = z.object({
  slice: z.string(),
  vn: z.string(),
  from: z.string(),
  to: z.string(),
  control,
  schedule,
  granularity,
  urpf,
  outcome,
  durationMs: ms,
  phases: z.array(z.object({ name: z.string(), ms })),
  moves: z.array(move),
  redirections: z.array(redirection),
  flows: z.array(flow),
  error: z.string().exactOptional().describe('Why it did not complete'),
  interrupted: z.boolean().describe('Whether the end of the service stopped it'),
  away: z.array(z.string()).describe('Nodes of gateways and end hosts that could not be reached when it ended'),
  fromRecord: z
    .array(z.string())
    .readonly()
    .describe('Routers whose old node was dead, made from the last recorded routes'),
}) satisfies z.ZodType<MigrateResult>;

export const migrationRecord = z.object({
  id: z.number(),
  slice: z.string(),
  vn: z.string(),
  from: z.string(),
  to: z.string(),
  control: z.string(),
  schedule: z.string(),
  urpf,
  state: z.string().describe('The phase it is in, or failed in; else its outcome'),
  outcome: outcome.nullable().describe('null: it is under way, or was interrupted'),
  startedAt: instant,
  finishedAt: instant.nullable(),
  error: z.string().nullable(),
  options: z.string().describe('JSON'),
  urpfBefore: urpf,
  oldInstance: z.number(),
  newInstance: z.number().nullable(),
  armedId: z.string().nullable(),
  drainMs: ms.nullable(),
  fromRecord: z.array(z.string()).readonly().nullable(),
}) satisfies z.ZodType<MigrationRecord>;

const phase = z.object({
  name: z.string(),
  startedAt: instant,
  finishedAt: instant.nullable(),
}) satisfies z.ZodType<PhaseRecord>;

export const migrationDetail = migrationRecord.extend({
  phases: z.array(phase),
  redirections: z.array(redirection),
  flows: z.array(flow),
}) satisfies z.ZodType<MigrationDetail>;
