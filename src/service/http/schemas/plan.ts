import * as z from 'zod';
import { optionKinds } from '../../../controller/migration/options.ts';
import type { PlannedSchedule, PlanOptions, PlanResult } from '../../../controller/plan.ts';
import type { MovesPlan } from '../../../controller/plan-moves.ts';
import { errorCodes } from '../../../model/errors.ts';
import { routingDaemonKinds } from '../../../vsys/daemon.ts';
import { ms, placement, vn } from './common.ts';
import { move, plannedFlow } from './migration.ts';

const { controlPlane, granularity, holdControl, method, parallel, schedule, suspend, urpf } = optionKinds;

const latency = z.enum(['measured', 'declared']);

export const planBody = z.strictObject({
  vn: vn.exactOptional(),
  to: placement.describe('The placement to move to; with router, the node'),
  from: placement.exactOptional().describe('The present placement; by default the installed one, otherwise initial'),
  method: method.exactOptional(),
  router: z.string().min(1).max(200).exactOptional().describe('The only router to move; not with method instance'),
  controlPlane: controlPlane.exactOptional(),
  holdControl: holdControl.exactOptional(),
  parallel: parallel.exactOptional(),
  suspend: suspend.exactOptional(),
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

const instancePlan = z.object({
  slice: z.string(),
  vn: z.string(),
  method: z.literal('instance'),
  from: z.string().nullable().describe('Name of the placement; null: it has no name'),
  to: z.string(),
  urpf,
  granularity,
  latency,
  moves: z.array(move),
  schedules: z.array(plannedSchedule),
}) satisfies z.ZodType<PlanResult>;

const placementEnd = z.string().nullable().describe('Name of the placement; null: it has no name');

const movesPlan = z.object({
  slice: z.string(),
  vn: z.string(),
  method: z.enum(['vroom', 'flow', 'clone', 'live']),
  from: placementEnd,
  to: placementEnd,
  moves: z.array(move),
  groups: z
    .array(
      z.array(
        move.extend({
          neighbours: z.array(z.string()).describe('Routers and gateways that flip their link with it'),
          entries: z
            .array(z.number())
            .readonly()
            .exactOptional()
            .describe('Method flow: how many entries change at each neighbour; 0: it is no switch'),
          daemon: z.enum(routingDaemonKinds).nullable().describe('The kind of its routing daemon; null: it has none'),
          controlPlane: controlPlane
            .nullable()
            .describe('How that moves; null: it cannot, or the nodes were not asked and the options do not say it'),
        }),
      ),
    )
    .describe('In their order; the routers of a group move at the same time'),
  flows: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      oldLatencyMs: ms,
      newLatencyMs: ms,
      predictedLost: z.number().nullable().describe('null: unknown, because a routing daemon restarts cold'),
    }),
  ),
  checked: z.boolean().describe('Whether the nodes were asked; if not, they may refuse more'),
  refusals: z
    .array(z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().nullable() }))
    .describe('Why a migration would be refused'),
}) satisfies z.ZodType<MovesPlan>;

export const planResult = z.union([instancePlan, movesPlan]);
