/** Gates, which hold traffic. */
import type { VnPlan } from '../../planning/vn-plan.ts';
import { append, type Batches } from './batches.ts';

/** Adds open gates at the gateways' ends of access links. `bytes`: the size of each gateway's gates. */
export function setUpGates({ access }: VnPlan, bytes: ReadonlyMap<string, number>): Batches {
  const batches: Batches = new Map();
  for (const { gateway, gatewayEnd } of access) {
    const limitBytes = bytes.get(gateway);
    if (limitBytes === undefined) continue;
    append(batches, gatewayEnd.node, { op: 'gate_up', interface: gatewayEnd.interface, limitBytes });
  }
  return batches;
}

export function removeGates({ access }: VnPlan): Batches {
  const batches: Batches = new Map();
  for (const { gatewayEnd } of access)
    append(batches, gatewayEnd.node, { op: 'gate_down', interface: gatewayEnd.interface });
  return batches;
}
