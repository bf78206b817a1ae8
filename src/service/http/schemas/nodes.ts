/** Results of operations on the nodes. */
import * as z from 'zod';
import type { LiveStatus } from '../../../controller/live.ts';
import type { NodeDifference, NodeFailure } from '../../../controller/nodes/compare.ts';
import type { DaemonStatus } from '../../../controller/nodes/daemons.ts';
import type { MachineStatus } from '../../../controller/nodes/machines.ts';
import type { PathLatency } from '../../../controller/probe/path-latency.ts';
import type { VerifyResult } from '../../../controller/probe/verify-vn.ts';
import type { ReconcileOptions, ReconcileResult } from '../../../controller/reconcile.ts';
import { daemonKinds } from '../../../vsys/daemon.ts';
import type { NodeObstacle } from '../../../vsys/obstacle.ts';
import { ms, vn } from './common.ts';

const difference = z.object({
  node: z.string(),
  kind: z.enum([
    'namespace',
    'interface',
    'setting',
    'route',
    'nexthop',
    'rule',
    'filter',
    'forward',
    'daemon',
    'machine',
  ]),
  namespace: z.string().exactOptional().describe("Namespace of the router; the node's own network stack if absent"),
  name: z.string(),
  wanted: z.string().nullable().describe('Value in the database; null: none'),
  found: z.string().nullable(),
  additional: z.boolean().describe('Exists in addition to what the database says; not removed'),
}) satisfies z.ZodType<NodeDifference>;
const failure = z.object({ node: z.string(), message: z.string() }) satisfies z.ZodType<NodeFailure>;

const obstacles = z
  .array(
    z.object({
      node: z.string(),
      kind: z.enum([
        'forward-filter',
        'input-filter',
        'output-filter',
        'tunnel-port',
        'tunnel-source',
        'routing-rule',
        'new-interfaces',
      ]),
      message: z.string(),
      hint: z.string(),
      blocks: z.boolean().describe('Whether it certainly blocks packets'),
    }) satisfies z.ZodType<NodeObstacle>,
  )
  .readonly()
  .exactOptional()
  .describe("Obstacles on the nodes that are not the slice's own");

const adjacency = z.object({
  protocol: z.enum(['ospf', 'bgp']),
  neighbour: z.string().exactOptional().describe('Router id'),
  router: z.string().exactOptional().describe('Name of the neighbour, if it is a router of the VN'),
  address: z.string(),
  interface: z.string().exactOptional(),
  state: z.string().describe("In the daemon's words"),
  isUp: z.boolean().describe('Whether routes are exchanged'),
});

const daemon = z.object({
  vn: z.string(),
  router: z.string(),
  node: z.string(),
  namespace: z.string(),
  kind: z.enum(daemonKinds),
  state: z
    .enum(['running', 'restarting', 'failed', 'moving', 'absent', 'unknown'])
    .describe('failed: it ended too often, and stays down; unknown: the node is unreachable'),
  version: z.string().exactOptional(),
  restarts: z.number().exactOptional().describe('Since the agent started'),
  adjacencies: z.array(adjacency).readonly().exactOptional().describe('Absent if the daemon did not answer'),
  routes: z.record(z.string(), z.number()).readonly().exactOptional().describe('Number of routes by origin'),
  error: z.string().exactOptional().describe('Why something is not known'),
}) satisfies z.ZodType<DaemonStatus>;

const machine = z.object({
  vn: z.string(),
  router: z.string(),
  node: z.string(),
  namespace: z.string(),
  state: z
    .enum(['running', 'restarting', 'failed', 'moving', 'absent', 'unknown'])
    .describe('failed: it ended too often, and stays down; unknown: the node is unreachable'),
  memoryMib: z.number(),
  restarts: z.number().exactOptional().describe('Since the agent started'),
  answers: z.boolean().exactOptional().describe('Whether the guest has answered on every link since it started'),
  error: z.string().exactOptional().describe('Why something is not known, or the last words of one that failed'),
}) satisfies z.ZodType<MachineStatus>;

export const liveStatus = z.object({
  slice: z.string(),
  equal: z.boolean().describe('Whether everything that could be compared matches the database'),
  differences: z.array(difference),
  unreachable: z.array(failure),
  failed: z.array(failure),
  notCompared: z.array(z.string()).describe('VNs that are partly installed or partly removed'),
  migrating: z.array(z.string()).describe('VNs with an unfinished migration'),
  obstacles,
  daemons: z.array(daemon).readonly().exactOptional().describe('Routing daemons of routers; absent if there are none'),
  machines: z
    .array(machine)
    .readonly()
    .exactOptional()
    .describe('Virtual machines that routers are; absent if there are none'),
}) satisfies z.ZodType<LiveStatus>;

export const reconcileBody = z.strictObject({
  vn: vn.exactOptional().describe('Name of a VN; the whole slice if omitted'),
  dryRun: z.boolean().default(false).describe('Only report what would be done'),
}) satisfies z.ZodType<ReconcileOptions>;

export const reconcileResult = z.object({
  slice: z.string(),
  vns: z.array(z.string()),
  dryRun: z.boolean(),
  repaired: z.array(difference),
  additional: z.array(difference),
  unreachable: z.array(failure),
  failed: z.array(failure),
}) satisfies z.ZodType<ReconcileResult>;

export const verifyResult = z.object({
  slice: z.string(),
  vn: z.string(),
  ok: z.boolean(),
  pairs: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      reachable: z.boolean(),
      sent: z.number(),
      received: z.number(),
      provenBy: z
        .literal('echo')
        .exactOptional()
        .describe('Test packets were dropped, but the other end answers an echo'),
      lostBytes: z
        .number()
        .exactOptional()
        .describe("Size of the VN's largest packets in bytes, if only smaller packets get through"),
      carriesBytes: z
        .number()
        .exactOptional()
        .describe('Size in bytes of the largest packets that do get through, if known'),
      stopsAt: z.string().exactOptional().describe('The last hop that answered and the first that did not'),
    }),
  ),
  obstacles,
}) satisfies z.ZodType<VerifyResult>;

/** Null if nothing arrived: JSON has no NaN. */
const measuredMs = ms.nullable();
const pathLatency = z.object({
  from: z.string(),
  to: z.string(),
  minMs: measuredMs,
  medianMs: measuredMs,
  jitterMs: measuredMs,
  spreadMs: measuredMs.describe('Median minus minimum'),
  isSteady: z.boolean().describe('Whether the spread is small enough to trust the median'),
  probes: z.number(),
  lost: z.number(),
  clockBoundMs: ms,
  basis: z.enum(['one-way', 'half-round-trip']),
  reportedMs: z.object({ min: measuredMs, median: measuredMs }),
}) satisfies z.ZodType<Record<keyof PathLatency, unknown>>;

export const measureResult = z.object({
  slice: z.string(),
  vn: z.string(),
  clocks: z.array(
    z.object({
      node: z.string(),
      offsetMs: ms,
      boundMs: ms,
      boundNowMs: ms,
      source: z.string(),
      errors: z.array(z.string()).readonly(),
    }),
  ),
  instances: z.array(z.object({ placement: z.string().nullable(), state: z.string(), paths: z.array(pathLatency) })),
});
