import { VnmError } from '../../model/errors.ts';
import type { TunnelKind } from '../../model/tunnel.ts';
import type { Operation } from '../../vsys/operations.ts';

/** Throws VnmError `unsupported` for a tunnel of a kind that the plane does not have. */
export function requireKinds(operations: readonly Operation[], plane: string, kinds: readonly TunnelKind[]): void {
  for (const operation of operations) {
    if (operation.op !== 'tunnel_up' || kinds.includes(operation.kind)) continue;
    throw new VnmError('unsupported', `the ${plane} data plane has no tunnels of kind '${operation.kind}'`, {
      hint: `it has ${kinds.join(' and ')}; both nodes of a tunnel need the same data plane`,
    });
  }
}
