import { VnmError } from '../../model/errors.ts';
import type { Operation } from '../../vsys/operations.ts';

/** Throws VnmError `unsupported` for a routing daemon, which needs the kernel's stack in a namespace of its own. */
export function refuseDaemons(operations: readonly Operation[], plane: string): void {
  if (!operations.some(({ op }) => op === 'daemon_up' || op === 'daemon_down')) return;
  throw new VnmError('unsupported', `the ${plane} data plane has no routing daemons`, {
    hint: 'give the routers kind `static`, or use the kernel data plane',
  });
}
