import { z } from 'zod';
import type { PlannedFlow, PlannedSchedule, PlanOptions, PlanResult } from '../../../controller/plan.ts';
import { granularity, ms, placement, urpf, vn } from './common.ts';
import { move, schedule } from './migration.ts';

const latency = z.enum(['measured', 'declared']);

export const planBody = z.strictObject({
  vn: vn.exactOptional(),
  to: placement.describe('The placement to move to'),
  from: placement.exactOptional().describe('The installed one, else initial, without it'),
  schedule: schedule.exactOptional().describe('All that the uRPF mode allows without it'),
  urpf: urpf.exactOptional(),
  granularity: granularity.default('gateway'),
  latency: latency.exactOptional().describe('Measured where the VN is installed, else declared, without it'),
}) satisfies z.ZodType<PlanOptions>;

const plannedFlow = z.object({
  from: z.string(),
  to: z.string(),
  oldLatencyMs: ms.nullable(),
  newLatencyMs: ms,
  predictedLossMs: ms,
  predictedLost: z.number(),
  worstLost: z.number(),
  predictedReordered: z.number(),
  addedDelayMs: ms,
  windowTooNarrow: z.boolean(),
}) satisfies z.ZodType<PlannedFlow>;

const plannedSchedule = z.object({
  name: schedule,
  objective: z.number().describe('Lost packets x priority, summed over the flows'),
  worstObjective: z.number(),
  offsets: z.record(z.string(), ms).describe('Gateway, or gateway>remote gateway: ms after the common instant'),
  gates: z.record(z.string(), z.object({ closeBeforeMs: ms, releaseAfterMs: ms })),
  flows: z.array(plannedFlow),
}) satisfies z.ZodType<PlannedSchedule>;

export const planResult = z.object({
  slice: z.string(),
  vn: z.string(),
  from: z.string(),
  to: z.string(),
  urpf,
  granularity,
  latency,
  moves: z.array(move),
  schedules: z.array(plannedSchedule),
}) satisfies z.ZodType<PlanResult>;
