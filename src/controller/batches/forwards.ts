/** Both sides of the forwards between end hosts. */
import type { VnPlan } from '../../planning/vn-plan.ts';
import type { ForwardSide, OperationInput } from '../../vsys/operations.ts';
import { append, type Batches } from './batches.ts';

type Up = Extract<OperationInput, { op: 'forward_up' }>;

/** The addresses of the end hosts must exist, or be added by earlier operations. */
export function forwardsUp(plan: Pick<VnPlan, 'vn' | 'access'>): Batches {
  const batches: Batches = new Map();
  for (const [node, operation] of sidesOf(plan)) append(batches, node, operation);
  return batches;
}

export function forwardsDown(plan: Pick<VnPlan, 'vn' | 'access'>): Batches {
  const batches: Batches = new Map();
  for (const [node, side] of sidesOf(plan)) append(batches, node, forwardDown(side));
  return batches;
}

export function forwardDown(side: ForwardSide): OperationInput {
  return side.side === 'listen'
    ? { op: 'forward_down', side: 'listen', localPort: side.localPort }
    : { op: 'forward_down', side: 'deliver', address: side.address, port: side.port };
}

/** Yields each side once, with its node: several forwards may lead to the same port. */
function* sidesOf({ vn, access }: Pick<VnPlan, 'vn' | 'access'>): Generator<[string, Up]> {
  const ends = new Map(access.map(({ endHost, hostEnd }) => [endHost, hostEnd]));
  const delivered = new Set<string>();
  for (const { name, forwards = [] } of vn.endHosts) {
    const from = ends.get(name)!;
    for (const { port: localPort, to, toPort: port } of forwards) {
      const { node, address } = ends.get(to)!;
      yield [from.node, { op: 'forward_up', side: 'listen', localPort, address: from.address, to: { address, port } }];
      const key = `${address}:${port}`;
      if (!delivered.has(key)) yield [node, { op: 'forward_up', side: 'deliver', address, port }];
      delivered.add(key);
    }
  }
}
