/**
 * The actions that can be armed for an instant: the one list of their kinds. An agent's data plane turns each into a
 * step of its actuator.
 */
import * as z from 'zod';
import { maxFlowEntries } from '../model/flow-entry.ts';
import { maxPerSlot } from '../model/ids.ts';
import { interfaceName, mac, namespaceName } from './operations.ts';
import { flowEntrySchema } from './switch-config.ts';

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
    /**
     * Adds entries to a switch, or gives those that it has other outputs, all of them together. What the switch is
     * wanted to have, `daemon_up` says: it must follow.
     */
    z.strictObject({
      kind: z.literal('flow'),
      offsetMs,
      namespace: namespaceName,
      entries: z.array(flowEntrySchema).min(1).max(maxFlowEntries),
    }),
    /** Sends what the node's own stack has for a neighbour to its other place, as `vif_up` with that MAC address. */
    z.strictObject({ kind: z.literal('neighbour'), offsetMs, interface: interfaceName, address: z.ipv4(), mac }),
  ]),
);

export type Armable = z.infer<typeof armableSchema>;
export type ArmableKind = Armable['kind'];
