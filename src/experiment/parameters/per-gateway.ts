/** Values that all gateways of a VN have, or each its own. */
import * as z from 'zod';
import type { NodeName } from '../../model/names.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import { gatewayName, name } from '../../slicefile/index.ts';

/** A number for all gateways, or one by the name of each; a gateway that is left out has 0. */
export type PerGateway = number | Readonly<Record<string, number>>;

/** The schema of such a value. `one`: that of a number, with its description. */
export function perGateway(one: z.ZodNumber): z.ZodType<PerGateway> {
  const each = z
    .record(name(gatewayName), one)
    .refine((map) => Object.keys(map).length > 0, { message: 'no gateway is named' });
  return z
    .union([one, each])
    .describe(`${one.description}; or one per gateway: { g1: 1, g2: 4 }, where a gateway that is left out has 0`);
}

/** The nodes of gateways whose value is more than 0; of several gateways on one node, the largest value counts. */
export function perNode(value: PerGateway, { gateways }: VirtualNetwork): Map<NodeName, number> {
  const nodes = new Map<NodeName, number>();
  for (const { name: gateway, node } of gateways) {
    const own = typeof value === 'number' ? value : (value[gateway] ?? 0);
    if (own > (nodes.get(node) ?? 0)) nodes.set(node, own);
  }
  return nodes;
}
