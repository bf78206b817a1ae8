import { noForwardsHint } from '../../model/dataplane.ts';
import { VnmError } from '../../model/errors.ts';
import type { Operation } from '../../vsys/operations.ts';

/** Throws VnmError `unsupported` for a forward, which this plane does not have. */
export function refuseForwards(operations: readonly Operation[], plane: string): void {
  if (!operations.some(({ op }) => op === 'forward_up' || op === 'forward_down')) return;
  throw new VnmError('unsupported', `the ${plane} data plane has no forwards`, { hint: noForwardsHint });
}
