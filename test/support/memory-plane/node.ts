/** The agent of one node over the data plane in memory: everything but its process. */
import { createArmed } from '../../../src/agent/armed/armed.ts';
import type { ArmedContext } from '../../../src/agent/armed-requests.ts';
import { createHandlers } from '../../../src/agent/handlers.ts';
import { reach } from '../../../src/agent/reach.ts';
import { createStreams } from '../../../src/agent/streams.ts';
import { createWatches } from '../../../src/agent/watches.ts';
import { systemClock } from '../../../src/clock/clock.ts';
import type { Method } from '../../../src/vsys/messages.ts';
import { parseParams } from '../../../src/vsys/params.ts';
import type { Policy } from '../../../src/vsys/policy.ts';
import type { Handlers, RpcClient } from '../../../src/vsys/rpc.ts';
import type { Network } from './network.ts';
import { createMemoryPlane, emptyState } from './plane.ts';
import type { FakeTime } from './timing.ts';

export interface MemoryNode {
  readonly call: RpcClient['call'];
  end(): Promise<void>;
}

/** The system's clock paces test traffic; `time` paces armed actions. */
export function startMemoryNode(network: Network, address: string, policy: Policy, time: FakeTime): MemoryNode {
  const host = { address, policy, state: emptyState(address), held: new Map() };
  network.set(address, host);
  const { plane, actuator } = createMemoryPlane(network, host, time.clock);
  const { endpoints } = plane;
  const armed = createArmed<ArmedContext>((listeners) => time.start(actuator, listeners), policy.limits);
  const streams = createStreams(endpoints, systemClock, policy.limits);
  const watches = createWatches(endpoints, policy.slice, systemClock);
  const handlers = createHandlers({
    policy,
    policyFile: { exists: () => true },
    others: async () => [],
    ownAddresses: async () => [],
    facts: { version: '0', digest: '', pid: process.pid, startedAt: 0, node: process.version },
    dataPlane: plane,
    streams,
    watches,
    armed,
    obstacles: async () => [],
    reach: (params, ended) => reach(endpoints, params, ended),
    packetSizes: endpoints.packetSizes,
    clock: time.clock,
    log: () => {},
    shutdown: () => {},
  });
  const call = async <M extends Method>(method: M, params: unknown) =>
    (handlers[method] as Handlers[M])(parseParams(method, params));
  return {
    call: call as RpcClient['call'],
    async end() {
      await streams.closeAll();
      await watches.closeAll();
      await armed.close();
      await plane.close();
    },
  };
}
