import * as z from 'zod';
import type { MigrateOptions } from '../../../controller/migrate.ts';
import { migrationOptions, optionKinds } from '../../../controller/migration/options.ts';
import type {
  MigrateResultView,
  MigrationDetailView,
  MigrationView,
  PhaseView,
  RedirectionView,
} from '../../../controller/views/migration.ts';
import type { FlowRecord } from '../../../store/migrations.ts';
import { instant, ms, placement, vn } from './common.ts';

const { control, granularity, schedule, urpf } = optionKinds;
const outcome = z.enum(['completed', 'rolled-back', 'failed']);

export const migrateBody = z.strictObject({
  vn: vn.exactOptional(),
  to: placement.describe('The placement to move to'),
  ...migrationOptions.shape,
}) satisfies z.ZodType<Omit<MigrateOptions, 'offsetsMs'>>;

const redirection = z.object({
  gateway: z.string(),
  plannedAt: instant,
  startedAt: instant,
  finishedAt: instant,
  lagMs: ms,
  executionMs: ms,
  clockBoundMs: ms.describe('The instants are within this of the truth'),
}) satisfies z.ZodType<RedirectionView>;

const flow = z.object({
  from: z.string(),
  to: z.string(),
  sent: z.number(),
  received: z.number(),
  lost: z.number().describe('On the way'),
  receiverDropped: z.number().describe('Arrived at the receiving node, whose socket had no room for them'),
  reordered: z.number(),
  duplicated: z.number(),
  maxGapMs: ms,
  minLatencyMs: ms.nullable(),
  maxLatencyMs: ms.nullable(),
  predictedLost: z.number().nullable(),
  predictedAddedDelayMs: ms.nullable(),
}) satisfies z.ZodType<FlowRecord>;

const placementEnd = z.string().nullable().describe('Name of the placement; null: it has none');
const nodes = z.record(z.string(), z.string()).readonly().nullable();

export const move = z.object({ router: z.string(), from: z.string(), to: z.string() });

const hostPair = z.object({ from: z.string(), to: z.string() });

export const migrateResult = z.object({
  id: z.number().nullable().describe('null: nothing was begun'),
  slice: z.string(),
  vn: z.string(),
  from: placementEnd,
  to: placementEnd,
  control,
  schedule,
  granularity,
  urpf,
  outcome: z.enum([...outcome.options, 'unchanged']).describe('unchanged: there was nothing to do'),
  durationMs: ms,
  phases: z.array(z.object({ name: z.string(), ms })),
  moves: z.array(move),
  redirections: z.array(redirection),
  flows: z.array(flow),
  error: z.string().exactOptional().describe('Why it did not complete'),
  unproven: z
    .array(hostPair)
    .readonly()
    .exactOptional()
    .describe('Pairs of end hosts that were not seen to reach each other when it ended'),
  interrupted: z.boolean().describe('Whether the end of the service stopped it'),
  away: z.array(z.string()).describe('Nodes of gateways and end hosts that could not be reached when it ended'),
  fromRecord: z
    .array(z.string())
    .readonly()
    .describe('Routers whose old node was dead, made from the last recorded routes'),
}) satisfies z.ZodType<MigrateResultView>;

export const migrationRecord = z.object({
  id: z.number(),
  slice: z.string(),
  vn: z.string(),
  from: placementEnd,
  to: placementEnd,
  control: z.string(),
  schedule: z.string(),
  urpf,
  state: z.string().describe('The phase it is in, or failed in; else its outcome'),
  outcome: outcome.nullable().describe('null: it is under way, or was interrupted'),
  startedAt: instant,
  finishedAt: instant.nullable(),
  error: z.string().nullable(),
  options: z.record(z.string(), z.unknown()).describe('As they were given to migrate'),
  urpfBefore: urpf,
  oldInstance: z.number(),
  newInstance: z.number().nullable(),
  armedId: z.string().nullable(),
  drainMs: ms.nullable(),
  fromNodes: nodes.describe('The node of each router before; null in records of earlier versions'),
  toNodes: nodes.describe('The node of each router afterwards'),
  fromRecord: z.array(z.string()).readonly().nullable(),
}) satisfies z.ZodType<MigrationView>;

const phase = z.object({
  name: z.string(),
  startedAt: instant,
  finishedAt: instant.nullable(),
  ms: ms.nullable().describe('null: it lasts, or was interrupted'),
}) satisfies z.ZodType<PhaseView>;

export const migrationDetail = migrationRecord.extend({
  granularity: z.string(),
  durationMs: ms.describe('Of its phases together'),
  phases: z.array(phase),
  moves: z.array(move).describe('In a record of an earlier version by the placements that the slice has now'),
  fromRecord: z.array(z.string()).readonly(),
  interrupted: z.boolean().describe('Whether a signal stopped it, or its process died'),
  away: z.array(z.string()).nullable().describe('null: not known'),
  unproven: migrateResult.shape.unproven,
  redirections: z.array(redirection),
  flows: z.array(flow),
}) satisfies z.ZodType<MigrationDetailView>;
