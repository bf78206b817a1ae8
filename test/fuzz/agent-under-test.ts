/**
 * The agent's real handlers over a data plane, streams and a timing thread that only record what they are asked to do.
 */
import type { Armed } from '../../src/agent/armed/armed.ts';
import type { ArmedContext } from '../../src/agent/armed-requests.ts';
import type { DataPlane } from '../../src/agent/dataplane/dataplane.ts';
import { kernelEndpoints } from '../../src/agent/dataplane/kernel/endpoints.ts';
import { createHandlers } from '../../src/agent/handlers.ts';
import { createCommands } from '../../src/agent/inside/commands.ts';
import type { Streams } from '../../src/agent/streams.ts';
import type { Watches } from '../../src/agent/watches.ts';
import { parsePrefix } from '../../src/model/address.ts';
import { VnmError } from '../../src/model/errors.ts';
import { requestSchemas } from '../../src/vsys/messages.ts';
import { operationNames } from '../../src/vsys/operations.ts';
import { policySchema } from '../../src/vsys/policy.ts';
import type { Handlers } from '../../src/vsys/rpc.ts';
import type { World } from './oracle.ts';

/** Not allowed here: `utc`, which would query servers, and two more, to test refusals. */
const forbidden = ['utc', 'gate_down', 'timer_lag'];

export const world: World = {
  policy: policySchema.parse({
    slice: 'a',
    vnet: '10.65.0.0/16',
    interfacePrefix: 'pv001-',
    namespacePrefix: 'pv-a_',
    table: 50_001,
    rulePriority: 10_001,
    nexthops: { first: 65_536, last: 131_071 },
    vnis: { first: 4096, last: 8191 },
    operations: [...operationNames, ...Object.keys(requestSchemas)].filter((name) => !forbidden.includes(name)),
  }),
  others: ['10.66.0.0/16', '172.20.128.0/17'],
};

/** The calls that got through to where they would have an effect. */
interface Call {
  readonly method: string;
  readonly params: unknown;
}

export interface AgentUnderTest {
  readonly handlers: Handlers;
  readonly calls: Call[];
}

export function createAgentUnderTest(): AgentUnderTest {
  const calls: Call[] = [];
  const note = (method: string, params: unknown) => void calls.push({ method, params });

  const dataPlane: DataPlane = {
    kind: 'noted',
    endpoints: kernelEndpoints,
    apply: async (operations, pinned) => {
      pinned();
      note('apply', { operations });
      return { results: operations.map(({ op }) => ({ op, status: 'changed' as const })) };
    },
    confirm: () => {},
    collisions: async () => ({ collisions: [], installed: false }),
    counters: async () => ({ interfaces: [], drops: [] }),
    inventory: async () => ({ namespaces: [], interfaces: [], routes: [], nexthops: [], rules: false }),
    routes: async (namespace) => {
      note('routes', { namespace });
      return { digest: '', routes: [] };
    },
    neighbourEvents: async (namespace) => {
      note('neighbour_events', { namespace });
      return {};
    },
    daemonState: async (namespace) => {
      note('daemon_state', { namespace });
      return { adjacencies: [], routes: {} };
    },
    moving: {
      dump: async (namespace) => {
        note('daemon_dump', { namespace });
        return { bytes: 1, sha256: '0'.repeat(64) };
      },
      read: (params) => {
        note('daemon_image_read', params);
        return { data: '' };
      },
      // The data of a checkpoint is for a file.
      write: ({ namespace, offset }) => note('daemon_image_write', { namespace, offset }),
      restore: async (params) => {
        note('daemon_restore', params);
        return { processes: [] };
      },
      settle: async (params) => note('daemon_settle', params),
    },
    machines: {
      copy: async (params) => {
        note('machine_copy', params);
        return {};
      },
      read: async (params) => {
        note('machine_copy_read', params);
        return { data: '', bytes: 0 };
      },
      // The data of a copy is for a guest.
      write: async ({ namespace, offset }) => note('machine_copy_write', { namespace, offset }),
      goOn: async (namespace) => note('machine_go_on', { namespace }),
    },
    images: {
      pathOf: () => '',
      state: (digest) => {
        note('image_state', { digest });
        return { complete: false, bytes: 0 };
      },
      // The data of an image is for a file.
      write: async ({ digest, offset }) => {
        note('image_write', { digest, offset });
        return { bytes: 0 };
      },
      removeAll: () => {},
    },
    pathMtu: async (remotes) => {
      note('path_mtu', { remotes });
      return remotes.map(() => 1500);
    },
    redirect: async (groups) => {
      note('redirect', { groups });
      return { startedAt: 1, finishedAt: 2 };
    },
    prepare: async (actions, take) => {
      note('arm', { actions });
      await take(
        actions.map(() => undefined),
        0,
      );
    },
    features: async () => [],
    close: async () => {},
  };
  const streams: Streams = {
    // Stream ids are names in the agent's memory and nowhere else.
    open: async ({ stream: _stream, ...params }) => {
      note('stream_open', params);
      return { port: 40_000 };
    },
    send: async ({ stream: _stream, ...params }) => {
      note('stream_send', params);
      return {};
    },
    stop: async () => ({ sent: 0 }),
    report: async () => ({ sent: 0, received: 0, duplicated: 0, reordered: 0, maxGapMs: 0, dropped: 0 }),
    closeAll: async () => {},
  };
  const watches: Watches = {
    // Ids of watches are such names, too.
    watch: async ({ id: _id, ...params }) => {
      note('watch', params);
      return { port: 40_001 };
    },
    report: async () => ({ watches: [] }),
    stop: async () => ({}),
    closeAll: async () => {},
  };
  const handlers = createHandlers({
    policy: world.policy,
    policyFile: { exists: () => true },
    ownAddresses: async () => [],
    others: async () => world.others.map((vnet) => ({ slice: 'b', vnet: parsePrefix(vnet), file: '/b.json' })),
    facts: { version: '0', digest: '', pid: 1, startedAt: 0, node: '' },
    dataPlane,
    streams,
    watches,
    inside: {
      commands: createCommands(),
      // The words of a command are for the login that runs it.
      exec: async ({ namespace }) => {
        note('exec', { namespace });
        return { id: '' };
      },
      console: async (params) => {
        note('console', params);
        return { id: '' };
      },
      console_log: async (params) => {
        note('console_log', params);
        return { text: '' };
      },
      capture: async (params) => {
        note('capture', params);
        return { id: '' };
      },
      leaving: () => () => {},
    },
    isOwnNode: false,
    armed: createFakeArmed(),
    obstacles: async () => [],
    reach: async (params) => {
      note('reach', params);
      return { answered: params.to.map(() => true) };
    },
    packetSizes: async (params) => {
      note('packet_sizes', params);
      return { sizes: params.probes.map(() => null) };
    },
    clock: { wallMs: () => 1_700_000_000_000, monotonicMs: () => 1000 },
    log: () => {},
    shutdown: () => {},
  });
  return { handlers, calls };
}

function createFakeArmed(): Armed<ArmedContext> {
  const contexts = new Map<string, ArmedContext>();
  function find(id: string) {
    const context = contexts.get(id);
    if (context === undefined) throw new VnmError('not-found', `nothing is or was armed as '${id}' on this node`);
    return { context, outcome: { state: 'armed' as const, actions: [] } };
  }
  return {
    arm: async (id, _actions, context) => {
      if (contexts.has(id)) throw new VnmError('conflict', `'${id}' is or was armed already`);
      contexts.set(id, context);
    },
    ready: async () => {},
    cancel: async (id) => {
      find(id);
      return 'cancelled';
    },
    find,
    forget: (id) => void contexts.delete(id),
    pending: () => [...contexts].map(([id, context]) => ({ id, context })),
    lag: async (samples) => Array.from({ length: samples }, () => 0),
    close: async () => {},
  };
}
