/** The agent of one node over the plane in memory. */
import type { Policy } from '../../../src/vsys/policy.ts';
import { type NodeInProcess, startNodeInProcess } from '../node-in-process.ts';
import type { Network } from './network.ts';
import { createMemoryPlane, emptyState } from './plane.ts';
import type { FakeTime } from './timing.ts';

export function startMemoryNode(network: Network, address: string, policy: Policy, time: FakeTime): NodeInProcess {
  const host = { address, policy, state: emptyState(address), held: new Map() };
  network.set(address, host);
  const { plane, actuator } = createMemoryPlane(network, host, time.clock);
  return startNodeInProcess(plane, actuator, policy, time);
}
