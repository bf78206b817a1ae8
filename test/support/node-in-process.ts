/** The agent of one node over some data plane: all of it but its process. */
import { createArmed } from '../../src/agent/armed/armed.ts';
import type { ArmedContext } from '../../src/agent/armed-requests.ts';
import type { Actuator } from '../../src/agent/dataplane/actuator.ts';
import type { DataPlane } from '../../src/agent/dataplane/dataplane.ts';
import { createHandlers } from '../../src/agent/handlers.ts';
import { createInside } from '../../src/agent/inside/inside.ts';
import { reach } from '../../src/agent/reach.ts';
import { createStreams } from '../../src/agent/streams.ts';
import { createWatches } from '../../src/agent/watches.ts';
import { systemClock } from '../../src/clock/clock.ts';
import type { Method } from '../../src/vsys/messages.ts';
import { parseParams } from '../../src/vsys/params.ts';
import type { Policy } from '../../src/vsys/policy.ts';
import type { Handlers, RpcClient } from '../../src/vsys/rpc.ts';
import type { FakeTime } from './memory-plane/timing.ts';

export interface NodeInProcess {
  readonly call: RpcClient['call'];
  end(): Promise<void>;
}

/** Test traffic is paced by the system's clock, what is armed by `time`. */
export function startNodeInProcess(
  dataPlane: DataPlane,
  actuator: Actuator,
  policy: Policy,
  time: FakeTime,
): NodeInProcess {
  const { endpoints } = dataPlane;
  const armed = createArmed<ArmedContext>((listeners) => time.start(actuator, listeners), policy.limits);
  const streams = createStreams(endpoints, systemClock, policy.limits);
  const watches = createWatches(endpoints, policy.slice, systemClock);
  const handlers = createHandlers({
    policy,
    policyFile: { exists: () => true },
    others: async () => [],
    ownAddresses: async () => [],
    facts: { version: '0', digest: '', pid: process.pid, startedAt: 0, node: process.version },
    dataPlane,
    streams,
    watches,
    inside: createInside(policy, false, '/agent.js'),
    isOwnNode: false,
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
      await dataPlane.close();
    },
  };
}
