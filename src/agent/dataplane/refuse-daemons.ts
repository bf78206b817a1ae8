import { VnmError } from '../../model/errors.ts';
import type { Operation } from '../../vsys/operations.ts';

/**
 * Throws VnmError `unsupported` for a routing daemon and its interfaces, and for a virtual machine: they need the
 * kernel's stack in a namespace of its own.
 */
export function refuseDaemons(operations: readonly Operation[]): void {
  const found = operations.find((one) => isForDaemon(one) || isForMachine(one));
  if (found === undefined) return;
  const what = isForMachine(found) ? 'are no virtual machines' : 'run no routing daemon';
  throw new VnmError('unsupported', `routers of the userspace data plane ${what}`, {
    hint: 'use nodes with the data plane of the kernel, or routers of kind static',
  });
}

function isForMachine({ op }: Operation): boolean {
  return op === 'machine_up' || op === 'machine_down';
}

function isForDaemon(operation: Operation): boolean {
  switch (operation.op) {
    case 'daemon_up':
    case 'daemon_down':
    case 'daemon_leave':
    case 'control_up':
    case 'control_down':
      return true;
    case 'vif_up':
      return operation.pointToPoint;
    case 'vroute':
    case 'vroutes':
      return operation.protocol !== undefined;
    default:
      return false;
  }
}
