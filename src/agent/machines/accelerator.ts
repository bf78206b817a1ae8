/** What runs the code of guests on this node. */
import { accessSync, constants, readFileSync } from 'node:fs';
import type { Accelerator } from './machine.ts';

/**
 * Returns KVM if the processor virtualizes and the agent may use it. In some clouds there is a KVM on processors that
 * do not; it starts guests that then hardly run.
 */
export function findAccelerator(): Accelerator {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return /^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'kvm' : 'tcg';
  } catch {
    return 'tcg';
  }
}
