import * as z from 'zod';
import type { InstanceStatus, VnStatus } from '../../../controller/status.ts';
import type { HealthView, SliceStatusView } from '../../../controller/views/status.ts';
import { routerKindNames } from '../../../model/router.ts';
import { tunnelKindNames } from '../../../model/tunnel.ts';
import { instant } from './common.ts';
import { event } from './event.ts';
import { migrationRecord } from './migration.ts';

const instance = z.object({
  placement: z.string().nullable().describe('null: the placement has no name; see routers'),
  state: z.string(),
  slot: z.number(),
  block: z.string(),
  routers: z.array(
    z.object({
      router: z.string(),
      kind: z.enum(routerKindNames),
      node: z.string(),
      namespace: z.string(),
      routes: z.number(),
      movingTo: z.string().exactOptional().describe('The new node of a router that is moving'),
    }),
  ),
  tunnels: z.array(
    z.object({
      a: z.string(),
      b: z.string(),
      kind: z.enum(tunnelKindNames),
      vni: z.number(),
      addresses: z.tuple([z.string(), z.string()]),
    }),
  ),
}) satisfies z.ZodType<InstanceStatus>;

const vnStatus = z.object({
  vn: z.string(),
  placement: z
    .string()
    .nullable()
    .describe('The placement that carries the traffic; null: the VN is not installed, or the placement has no name'),
  mtu: z.number().nullable(),
  urpf: z.string().nullable(),
  placements: z.array(z.string()),
  instances: z.array(instance),
}) satisfies z.ZodType<VnStatus>;

const healthRecord = z.object({
  vn: z.string().describe("'' for a node"),
  kind: z.enum(['node', 'router', 'tunnel', 'path']),
  name: z.string(),
  state: z.enum(['unknown', 'up', 'suspect', 'down']),
  since: instant,
  cause: z.string(),
}) satisfies z.ZodType<HealthView>;

export const sliceStatus = z.object({
  slice: z.string(),
  vnet: z.string(),
  testbed: z.string().nullable(),
  vns: z.array(vnStatus),
  migrations: z.array(migrationRecord).describe('The latest, newest first'),
  events: z.array(event).describe('The latest, newest first'),
  watchedAt: instant.nullable().describe('Last sign of life of the service that monitors; null: there is none'),
  health: z.array(healthRecord),
}) satisfies z.ZodType<SliceStatusView>;

const service = z.object({
  host: z.string(),
  pid: z.number(),
  url: z.string(),
  startedAt: instant,
  seenAt: instant.describe('Its last sign of life'),
});

export const sliceHealth = z.object({
  slice: z.string(),
  service: service.nullable().describe('The service that monitors'),
  health: z.array(healthRecord),
});
