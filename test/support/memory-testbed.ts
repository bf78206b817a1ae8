/** A slice in this process: the real handlers of agents over data planes in memory, with breakable connections. */
import type { TimingListeners } from '../../src/agent/armed/thread.ts';
import { Timeline } from '../../src/agent/armed/timeline.ts';
import type { Actuator } from '../../src/agent/dataplane/actuator.ts';
import { systemClock } from '../../src/clock/clock.ts';
import type { Connections } from '../../src/controller/base/connections.ts';
import { ownPolicy } from '../../src/controller/nodes/agents.ts';
import { VnmError } from '../../src/model/errors.ts';
import { defaultPatienceS, timeLimits } from '../../src/model/patience.ts';
import type { Slice } from '../../src/model/slice.ts';
import type { AgentConnection } from '../../src/transport/agent-connection.ts';
import type { Feature, Method } from '../../src/vsys/messages.ts';
import type { Network } from './memory-plane/network.ts';
import { startMemoryNode } from './memory-plane/node.ts';
import type { FakeTime } from './memory-plane/timing.ts';
import type { NodeInProcess } from './node-in-process.ts';

/** The connections of a controller to its nodes. After `kill`, its requests get no answer and have no effect. */
interface Controller {
  readonly connections: Connections;
  kill(): void;
}

export interface MemoryTestbed {
  readonly network: Network;
  /** The nodes that no controller reaches; tests change it. */
  readonly dead: Set<string>;
  /** What every node answers to a request, instead of doing it; tests change it. */
  readonly faults: Map<Method, VnmError>;
  /** Features that no node has; tests change it. */
  readonly lacking: Set<Feature['name']>;
  /** `onAnswer`: called when a node has done what a request asks for, before the controller has the answer. */
  controller(onAnswer?: (method: Method) => void): Controller;
  end(): Promise<void>;
}

/** Creates the testbed. Every node of the slice needs a `host` that is an address. */
export function memoryTestbed(slice: Slice): MemoryTestbed {
  const network: Network = new Map();
  const policy = {
    ...ownPolicy(slice),
    operations: ['*', 'daemon_dump', 'daemon_restore', 'machine_up', 'machine_copy'],
  };
  const nodes = new Map(
    [...slice.nodes.values()].map(({ name, host }) => [name, startMemoryNode(network, host!, policy, realTime)]),
  );
  const dead = new Set<string>();
  const isDead = (node: string) => dead.has(node);
  const faults: MemoryTestbed['faults'] = new Map();
  const lacking: MemoryTestbed['lacking'] = new Set();
  return {
    network,
    dead,
    faults,
    lacking,
    controller: (onAnswer = () => {}) => {
      let isKilled = false;
      const connect = (node: string) =>
        connectionTo(node, nodes.get(node)!, { isKilled: () => isKilled, isDead, onAnswer, faults, lacking });
      return {
        connections: {
          connect: async (targets) => ({
            connections: await Promise.all(
              targets.filter(({ node }) => !isDead(node)).map(({ node }) => connect(node)),
            ),
            failures: new Map(targets.filter(({ node }) => isDead(node)).map(({ node }) => [node, unreachable(node)])),
          }),
          evict: () => {},
          markUnreachable: () => {},
          markReachable: () => {},
          markOf: () => undefined,
          closeAll: () => {},
        },
        kill: () => {
          isKilled = true;
        },
      };
    },
    end: async () => {
      await Promise.all([...nodes.values()].map((node) => node.end()));
    },
  };
}

const unreachable = (node: string) => new VnmError('unreachable', `node '${node}' is unreachable`);

async function connectionTo(
  node: string,
  agent: NodeInProcess,
  {
    isKilled,
    isDead,
    onAnswer,
    faults,
    lacking,
  }: {
    isKilled: () => boolean;
    isDead: (node: string) => boolean;
    onAnswer: (method: Method) => void;
    faults: ReadonlyMap<Method, VnmError>;
    lacking: ReadonlySet<Feature['name']>;
  },
): Promise<AgentConnection> {
  const call = async (method: never, params: never) => {
    if (isKilled()) return new Promise(() => {});
    if (isDead(node)) throw unreachable(node);
    const fault = faults.get(method);
    if (fault !== undefined) throw fault;
    const result = await agent.call(method, params);
    onAnswer(method);
    return isKilled() ? new Promise(() => {}) : structuredClone(result);
  };
  const { features, ...facts } = await agent.call('hello', {});
  const known = features.filter(({ name }) => !lacking.has(name));
  return {
    node,
    facts: { plane: 'memory', ...facts, features: known },
    limits: timeLimits(defaultPatienceS),
    call: call as AgentConnection['call'],
    exec: () => Promise.reject(new Error('there is no shell')),
    stream: () => Promise.reject(new Error('there is no shell')),
    onClose: () => () => {},
    close: () => {},
    abandon: () => {},
  };
}

/** Does armed actions at their instants, with timers. */
const realTime: FakeTime = {
  clock: systemClock,
  advance: () => {},
  start(actuator: Actuator, { onOutcome }: TimingListeners) {
    let timer: NodeJS.Timeout | undefined;
    const timeline = new Timeline({
      monotonicMs: systemClock.monotonicMs,
      suspendedMs: () => 0,
      perform: ({ step }) => (step === undefined ? undefined : actuator.perform(step)),
      report: (id, outcome) => onOutcome(id, structuredClone(outcome)),
    });
    const wait = () => {
      clearTimeout(timer);
      const next = timeline.next();
      if (next === undefined) return;
      timer = setTimeout(
        () => {
          if (systemClock.monotonicMs() >= next.atMonotonicMs) timeline.fireNext();
          wait();
        },
        Math.max(0, next.atMonotonicMs - systemClock.monotonicMs()),
      );
    };
    return {
      ready: Promise.resolve(),
      arm: async (id, actions) => {
        const armed = timeline.arm(id, structuredClone(actions));
        wait();
        return armed;
      },
      warm: async () => {},
      cancel: async (id) => {
        const cancelled = timeline.cancel(id);
        wait();
        return cancelled;
      },
      end: async () => clearTimeout(timer),
    };
  },
};
