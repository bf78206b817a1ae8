import * as z from 'zod';
import type { MigrateOptions } from '../../../controller/migrate.ts';
import { controlPlaneNames } from '../../../controller/migration/control-planes/names.ts';
import { migrationOptions, optionKinds } from '../../../controller/migration/options.ts';
import type { PlannedFlow } from '../../../controller/migration/planned-flow.ts';
import type { ControlPlaneMove, FlowChange, GuestMove, NeighbourEvents } from '../../../controller/migration/types.ts';
import type {
  FlipView,
  MigrateResultView,
  MigrationDetailView,
  MigrationView,
  PhaseView,
  RedirectionView,
} from '../../../controller/views/migration.ts';
import type { FlowRecord } from '../../../store/migrations.ts';
import { instant, ms, placement, vn } from './common.ts';

const { control, granularity, method, schedule, urpf } = optionKinds;
const outcome = z.enum(['completed', 'rolled-back', 'failed']);

export const migrateBody = z.strictObject({
  vn: vn.exactOptional(),
  to: placement.describe('The placement to move to; with router, the node'),
  router: z.string().min(1).max(200).exactOptional().describe('The only router to move; not with method instance'),
  ...migrationOptions.shape,
}) satisfies z.ZodType<Omit<MigrateOptions, 'offsetsMs'>>;

const redirection = z.object({
  gateway: z.string(),
  plannedAt: instant,
  startedAt: instant,
  finishedAt: instant,
  lagMs: ms,
  executionMs: ms,
  clockBoundMs: ms.describe('Largest error of the instants'),
}) satisfies z.ZodType<RedirectionView>;

const flip = z.object({
  router: z.string(),
  neighbour: z.string().describe('The router or gateway at the other end of the link'),
  to: z.string().describe('The node of the router to which the neighbour sends from then on'),
  plannedAt: instant.exactOptional().describe('Of a flip that was armed at the neighbour'),
  startedAt: instant,
  finishedAt: instant,
}) satisfies z.ZodType<FlipView>;

const flowChange = z.object({
  router: z.string(),
  entriesMs: ms.describe('From the first new entry at the new place to the barrier after the last one'),
  flipMs: ms.describe('From the first change at a hop of both paths to the barrier after the last one'),
  totalMs: ms,
}) satisfies z.ZodType<FlowChange>;

const guestMove = z.object({
  router: z.string(),
  from: z.string(),
  to: z.string(),
  way: z.enum(['clone', 'suspend', 'live']),
  memoryMib: z.number(),
  bytes: z.number().describe('The size of the copy'),
  sentBytes: z.number().describe('What of it was carried, which may be compressed'),
  cloneMs: ms.describe('Until the copy was complete on the old node; 0 where it is carried while it is made'),
  moveMs: ms.describe('Until all of it was on the new node'),
  restoreMs: ms.describe('From then until the guest was complete there'),
  switchMs: ms.describe('From then until it ran there and all links led to it'),
  freezeMs: ms.describe('How long the guest ran nowhere, or no link led to where it ran'),
  formula: z
    .object({
      cloneMs: ms.exactOptional().describe('Memory divided by how fast the old node writes'),
      moveMs: ms.describe('Memory divided by how fast the copy was carried'),
    })
    .describe('What the formulas of VN Clone say for this memory'),
}) satisfies z.ZodType<GuestMove>;

const controlPlaneMove = z.object({
  router: z.string(),
  from: z.string(),
  to: z.string(),
  way: z.enum(controlPlaneNames),
  cold: z.boolean().describe('Whether it was a cold restart, the baseline: the neighbours gave the router up'),
  freezeMs: ms.describe(
    'From the request to end the old daemon, or to stop it for a checkpoint, to the answer that the new one had started',
  ),
  convergeMs: ms.describe('From when it ran and its links were flipped until it had its neighbours and routes again'),
  checkpoint: z
    .object({
      bytes: z.number().describe('The size of the checkpoint, compressed'),
      dumpMs: ms.describe('Until the daemon was stopped and its checkpoint was written'),
      transferMs: ms.describe('From one node to the other, by the controller'),
      restoreMs: ms.describe('Until the daemon ran on the other node'),
    })
    .exactOptional()
    .describe('What was carried; absent in the other ways'),
  packets: z
    .object({
      sentOn: z.number().describe('Copies that its old place sent to the new one'),
      held: z.number().exactOptional().describe('Those that waited at the new place until the daemon ran'),
      dropped: z.number().exactOptional().describe('Those that found no room there'),
    })
    .exactOptional()
    .describe('The OSPF packets that followed it; absent where the nodes cannot do that'),
}) satisfies z.ZodType<ControlPlaneMove>;

const neighbourEvents = z.object({
  router: z.string(),
  neighbour: z.string(),
  events: z.number().describe('How often the adjacency with the router changed its state at the neighbour'),
}) satisfies z.ZodType<NeighbourEvents>;

const flow = z.object({
  from: z.string(),
  to: z.string(),
  sent: z.number(),
  received: z.number(),
  lost: z.number().describe('Lost on the path'),
  receiverDropped: z.number().describe('Arrived at the receiving node, but its socket had no room'),
  reordered: z.number(),
  duplicated: z.number(),
  maxGapMs: ms,
  minLatencyMs: ms.nullable(),
  maxLatencyMs: ms.nullable(),
  predictedLost: z.number().nullable(),
  predictedAddedDelayMs: ms.nullable(),
}) satisfies z.ZodType<FlowRecord>;

export const plannedFlow = z.object({
  from: z.string(),
  to: z.string(),
  oldLatencyMs: ms.nullable(),
  newLatencyMs: ms,
  oldSpreadMs: ms.describe('Uncertainty of the old latency; 0 unless its probes spread too far to be trusted'),
  newSpreadMs: ms.describe('Uncertainty of the new latency'),
  predictedLossMs: ms,
  predictedLost: z.number(),
  worstLost: z.number(),
  predictedReordered: z.number(),
  addedDelayMs: ms,
  windowTooNarrow: z.boolean(),
}) satisfies z.ZodType<PlannedFlow>;

const placementEnd = z.string().nullable().describe('Name of the placement; null: it has no name');
const nodes = z.record(z.string(), z.string()).readonly().nullable();

export const move = z.object({ router: z.string(), from: z.string(), to: z.string() });

const hostPair = z.object({ from: z.string(), to: z.string() });

export const migrateResult = z.object({
  id: z.number().nullable().describe('null: no migration was started'),
  slice: z.string(),
  vn: z.string(),
  from: placementEnd,
  to: placementEnd,
  control,
  schedule,
  granularity,
  urpf,
  method,
  outcome: z.enum([...outcome.options, 'unchanged']).describe('unchanged: there was nothing to do'),
  durationMs: ms,
  phases: z.array(z.object({ name: z.string(), ms })),
  moves: z.array(move),
  redirections: z.array(redirection),
  flips: z
    .array(flip)
    .exactOptional()
    .describe('Methods vroom and flow: when each link of a moving router was flipped'),
  flowChanges: z
    .array(flowChange)
    .readonly()
    .exactOptional()
    .describe('Method flow: how long the change of the flows took; absent if nothing could be timed'),
  controlPlanes: z
    .array(controlPlaneMove)
    .readonly()
    .exactOptional()
    .describe('Method vroom: how the routing daemons of the moving routers moved'),
  neighbourEvents: z
    .array(neighbourEvents)
    .readonly()
    .exactOptional()
    .describe('Method vroom: what the neighbours of moving routers with routing daemons noticed'),
  guests: z.array(guestMove).readonly().exactOptional().describe('Methods clone and live: how the guests moved'),
  flows: z.array(flow),
  planned: z
    .array(plannedFlow)
    .readonly()
    .exactOptional()
    .describe('Method instance: the measured latencies and the predicted effect on each flow'),
  error: z.string().exactOptional().describe('Why it did not complete'),
  unproven: z
    .array(hostPair)
    .readonly()
    .exactOptional()
    .describe('Pairs of end hosts not proven to reach each other when it ended'),
  interrupted: z.boolean().describe('Whether the end of the service stopped it'),
  unreachable: z.array(z.string()).describe('Nodes of gateways and end hosts that were unreachable when it ended'),
  fromRecord: z
    .array(z.string())
    .readonly()
    .describe('Routers made from the last recorded routes, because their old node was dead'),
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
  state: z.string().describe('The phase that it is in or failed in; otherwise its outcome'),
  outcome: outcome.nullable().describe('null: under way or interrupted'),
  startedAt: instant,
  finishedAt: instant.nullable(),
  error: z.string().nullable(),
  options: z.record(z.string(), z.unknown()).describe('The options given to migrate'),
  urpfBefore: urpf,
  oldInstance: z.number(),
  newInstance: z.number().nullable(),
  armedId: z.string().nullable(),
  drainMs: ms.nullable(),
  fromNodes: nodes.describe('Node of each router before; null in records of earlier versions'),
  toNodes: nodes.describe('Node of each router afterwards'),
  fromRecord: z.array(z.string()).readonly().nullable(),
}) satisfies z.ZodType<MigrationView>;

const phase = z.object({
  name: z.string(),
  startedAt: instant,
  finishedAt: instant.nullable(),
  ms: ms.nullable().describe('null: under way or interrupted'),
}) satisfies z.ZodType<PhaseView>;

export const migrationDetail = migrationRecord.extend({
  granularity: z.string(),
  method,
  durationMs: ms.describe('Sum over its phases'),
  phases: z.array(phase),
  moves: z.array(move).describe('For a record of an earlier version, derived from the current placements of the slice'),
  fromRecord: z.array(z.string()).readonly(),
  interrupted: z.boolean().describe('Whether a signal stopped it, or its process died'),
  unreachable: z.array(z.string()).nullable().describe('null: unknown'),
  unproven: migrateResult.shape.unproven,
  redirections: z.array(redirection),
  flips: z.array(flip).describe('Methods vroom and flow: when each link of a moving router was flipped'),
  flows: z.array(flow),
}) satisfies z.ZodType<MigrationDetailView>;
