/** The policy file of a slice on a node: what its agent may do there. Owned by root; the slice's login cannot change it. */
import { z } from 'zod';

const idRange = z.strictObject({ first: z.int().min(1), last: z.int().min(1) });

export const policySchema = z.strictObject({
  slice: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  vnet: z.cidrv4(),
  interfacePrefix: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,9}$/),
  namespacePrefix: z.string().regex(/^[a-z0-9][a-z0-9._-]{1,63}$/),
  table: z.int().min(1000).max(0x7fffffff),
  rulePriority: z.int().min(1).max(32_000),
  nexthops: idRange,
  vnis: idRange,
  /** Names of allowed operations and methods; `*` for all. */
  operations: z.array(z.string().regex(/^(\*|[a-z_]+)$/)).default(['*']),
  limits: z
    .strictObject({
      namespaces: z.int().min(0).default(64),
      tunnels: z.int().min(0).default(1024),
      routes: z.int().min(0).default(200_000),
      armed: z.int().min(0).default(64),
      streams: z.int().min(0).default(1024),
      /** Sum of the payload bits per second that this agent sends as test traffic. */
      trafficBps: z.number().min(0).default(1e9),
    })
    .prefault({}),
});

export type Policy = z.infer<typeof policySchema>;
