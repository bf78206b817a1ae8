/**
 * The actions that can be armed for an instant: the one list of their kinds. An agent's data plane turns each into a
 * step of its actuator.
 */
import * as z from 'zod';
import { maxPerSlot } from '../model/ids.ts';
import { interfaceName } from './operations.ts';

/** A group and the nexthop that becomes its active one. */
export const redirectionSchema = z.strictObject({
  id: z.int().min(1).max(0xffffffff),
  active: z.int().min(1).max(0xffffffff),
});
/** Ms after the common instant; negative for a gate that closes before it. */
const offsetMs = z.number().min(-60_000).max(60_000);

export const armableSchema = z.lazy(() =>
  z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('redirect'),
      offsetMs,
      groups: z.array(redirectionSchema).min(1).max(maxPerSlot),
    }),
    z.strictObject({ kind: z.literal('gate_close'), offsetMs, interface: interfaceName }),
    z.strictObject({ kind: z.literal('gate_open'), offsetMs, interface: interfaceName }),
  ]),
);

export type Armable = z.infer<typeof armableSchema>;
export type ArmableKind = Armable['kind'];
