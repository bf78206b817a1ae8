/** Starts the timing thread with the kernel's actuator from the sources. */
import { fileURLToPath } from 'node:url';
import { startTimingThread, type TimingListeners, type TimingThread } from '../../src/agent/armed/thread.ts';
import { createKernelSupplier } from '../../src/agent/dataplane/kernel/supplier.ts';

const program = fileURLToPath(new URL('../../src/agent/main.ts', import.meta.url));

export function startKernelTiming(listeners: TimingListeners): TimingThread {
  return startTimingThread(program, createKernelSupplier(), listeners);
}
