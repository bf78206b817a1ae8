import * as z from 'zod';
import { optionKinds } from '../../../controller/migration/options.ts';
import type { PlannedSchedule, PlanOptions, PlanResult } from '../../../controller/plan.ts';
import { ms, placement, vn } from './common.ts';
import { move, plannedFlow } from './migration.ts';

const { granularity, schedule, urpf } = optionKinds;

const latency = z.enum(['measured', 'declared']);

export const planBody = z.strictObject({
  vn: vn.exactOptional(),
  to: placement.describe('The placement to move to'),
  from: placement.exactOptional().describe('The present placement; by default the installed one, otherwise initial'),
  schedule: schedule.exactOptional().describe('By default every schedule that the uRPF mode allows'),
  urpf: urpf.exactOptional(),
  granularity: granularity.default('gateway'),
  latency: latency.exactOptional().describe('By default measured if the VN is installed, otherwise declared'),
}) satisfies z.ZodType<PlanOptions>;

const plannedSchedule = z.object({
  name: schedule,
  objective: z.number().describe('Sum of lost packets x priority over the flows'),
  worstObjective: z.number(),
  offsets: z.record(z.string(), ms).describe('By gateway or gateway>remote gateway: ms after the common instant'),
  gates: z.record(z.string(), z.object({ closeBeforeMs: ms, releaseAfterMs: ms })),
  flows: z.array(plannedFlow),
}) satisfies z.ZodType<PlannedSchedule>;

export const planResult = z.object({
  slice: z.string(),
  vn: z.string(),
  from: z.string().nullable().describe('Name of the placement; null: it has no name'),
  to: z.string(),
  urpf,
  granularity,
  latency,
  moves: z.array(move),
  schedules: z.array(plannedSchedule),
}) satisfies z.ZodType<PlanResult>;
