/** What the agent does for each request that the policy allows. */
import { release } from 'node:os';
import type { Clock } from '../clock/clock.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { unpackRoutes } from '../model/packed-routes.ts';
import type { Feature, Method, NodeFacts, Params } from '../vsys/messages.ts';
import type { Obstacle } from '../vsys/obstacle.ts';
import { allowsName, type Policy } from '../vsys/policy.ts';
import type { Handlers } from '../vsys/rpc.ts';
import type { Armed } from './armed/armed.ts';
import { type ArmedContext, createArmedRequests } from './armed-requests.ts';
import { createClaims } from './claims.ts';
import type { DataPlane } from './dataplane/dataplane.ts';
import { inOrder } from './dataplane/planner/inventory.ts';
import type { OwnAddress } from './dataplane/planner/state.ts';
import type { Inside } from './inside/inside.ts';
import type { Log } from './log.ts';
import { checkRequest, concernsOtherSlices, type OtherSubnet } from './policy.ts';
import type { PolicyFile } from './policy-file.ts';
import type { Streams } from './streams.ts';
import { checkTimeServer } from './time-servers.ts';
import type { Watches } from './watches.ts';

export interface AgentParts {
  readonly policy: Policy;
  readonly policyFile: Pick<PolicyFile, 'exists'>;
  /** The other slices whose policies apply on this node now. */
  readonly others: () => Promise<readonly OtherSubnet[]>;
  /** Addresses that belong to this node, or to one of its networks as a whole (broadcast), now. */
  readonly ownAddresses: () => Promise<readonly OwnAddress[]>;
  readonly facts: NodeFacts['agent'];
  readonly dataPlane: DataPlane;
  readonly streams: Streams;
  readonly armed: Armed<ArmedContext>;
  readonly watches: Watches;
  readonly inside: Inside;
  /** Whether the node is one of the user's own, where the agent's login is root or may become root. */
  readonly isOwnNode: boolean;
  readonly obstacles: (port: number) => Promise<Obstacle[]>;
  readonly reach: Handlers['reach'];
  readonly packetSizes: Handlers['packet_sizes'];
  readonly clock: Clock;
  readonly log: Log;
  /** Begins to shut the agent down. */
  readonly shutdown: () => void;
}

export function createHandlers(parts: AgentParts): Handlers {
  const { policy, facts, dataPlane, streams, watches, inside, armed, clock } = parts;
  const claims = createClaims();
  const asAllowed = allowed(parts);
  const armedRequests = createArmedRequests(armed, dataPlane, clock);
  return guarded(parts, {
    hello: async () => ({
      agent: facts,
      plane: dataPlane.kind,
      policy,
      policyFile: parts.policyFile.exists(),
      kernel: release(),
      features: (await dataPlane.features()).map(asAllowed),
    }),
    claim: async (params) => claims.claim(params),
    apply: async ({ operations, ticket, ...options }) => {
      if (ticket !== undefined) claims.check(ticket);
      const endCommands = options.dryRun ? () => {} : inside.leaving(operations);
      const applied = await dataPlane.apply(operations, armedRequests.pinned, options);
      endCommands();
      return applied;
    },
    confirm: async ({ token }) => {
      dataPlane.confirm(token);
      return {};
    },
    collisions: () => dataPlane.collisions(),
    inventory: () => dataPlane.inventory(),
    counters: () => dataPlane.counters(),
    routes: async ({ namespace, packed, unless }) => {
      const table = await dataPlane.routes(namespace, unless);
      const { digest } = table;
      if (table.packed === undefined) return { digest, routes: [], unchanged: true };
      return packed ? { ...table, routes: [] } : { digest, routes: inOrder(unpackRoutes(table.packed)) };
    },
    daemon_state: ({ namespace }) => dataPlane.daemonState(namespace),
    daemon_dump: async ({ namespace, ticket }) => {
      if (ticket !== undefined) claims.check(ticket);
      return movingOf(dataPlane).dump(namespace);
    },
    daemon_image_read: async (params) => movingOf(dataPlane).read(params),
    daemon_image_write: async (params) => {
      movingOf(dataPlane).write(params);
      return {};
    },
    daemon_restore: async ({ ticket, ...params }) => {
      if (ticket !== undefined) claims.check(ticket);
      return movingOf(dataPlane).restore(params);
    },
    daemon_settle: async ({ ticket, ...params }) => {
      if (ticket !== undefined) claims.check(ticket);
      await movingOf(dataPlane).settle(params);
      return {};
    },
    machine_copy: async ({ ticket, ...params }) => {
      if (ticket !== undefined) claims.check(ticket);
      return machinesOf(dataPlane).copy(params);
    },
    machine_copy_read: async (params) => machinesOf(dataPlane).read(params),
    machine_copy_write: async ({ ticket, ...params }) => {
      if (ticket !== undefined) claims.check(ticket);
      await machinesOf(dataPlane).write(params);
      return {};
    },
    machine_go_on: async ({ ticket, namespace }) => {
      if (ticket !== undefined) claims.check(ticket);
      await machinesOf(dataPlane).goOn(namespace);
      return {};
    },
    image_state: async ({ digest }) => imagesOf(dataPlane).state(digest),
    image_write: (part) => imagesOf(dataPlane).write(part),
    neighbour_events: async ({ namespace }) => ({ events: await dataPlane.neighbourEvents(namespace) }),
    path_mtu: async ({ remotes }) => ({ mtus: await dataPlane.pathMtu(remotes) }),
    redirect: async ({ groups, ticket }) => {
      if (ticket !== undefined) claims.check(ticket);
      return dataPlane.redirect(groups);
    },
    arm: async ({ ticket, ...params }) => {
      if (ticket !== undefined) claims.check(ticket);
      return armedRequests.arm(params);
    },
    cancel: armedRequests.cancel,
    armed_results: async (params) => armedRequests.results(params),
    timer_lag: async ({ samples }) => ({ lagMs: await armed.lag(samples) }),
    clock: async () => ({ receivedAt: clock.wallMs(), sentAt: clock.wallMs() }),
    utc: async ({ ntpServers }) => {
      const [own, others] = await Promise.all([parts.ownAddresses(), parts.others()]);
      const check = (server: string, address: string) => checkTimeServer(policy, { own, others }, server, address);
      const { readUtc } = await import('../clock/read-utc.ts');
      return readUtc(ntpServers, clock, { check });
    },
    stream_open: streams.open,
    stream_send: streams.send,
    stream_stop: streams.stop,
    stream_report: streams.report,
    reach: parts.reach,
    packet_sizes: parts.packetSizes,
    watch: watches.watch,
    watch_report: watches.report,
    watch_stop: watches.stop,
    exec: inside.exec,
    console: inside.console,
    console_log: inside.console_log,
    capture: inside.capture,
    exec_write: inside.commands.write,
    exec_read: inside.commands.read,
    exec_signal: inside.commands.signal,
    obstacles: async ({ port }) => ({ obstacles: await parts.obstacles(port) }),
    shutdown: async () => {
      armedRequests.shutdown();
      parts.shutdown();
      return {};
    },
  });
}

/** The methods and operations that need a feature, and without which it is of no use. */
const usesOf: Partial<Record<Feature['name'], readonly string[]>> = {
  criu: ['daemon_dump', 'daemon_restore'],
  'control-packets': ['control_up', 'control_down'],
  machine: ['machine_up'],
};

/** What the policy forbids the node cannot do either. */
function allowed({ policy, isOwnNode }: AgentParts): (feature: Feature) => Feature {
  return (feature) => {
    const forbidden = (usesOf[feature.name] ?? []).filter((name) => !allowsName(policy, name, isOwnNode));
    if (!feature.available || forbidden.length === 0) return feature;
    return { name: feature.name, available: false, detail: `the policy does not allow ${forbidden.join(' and ')}` };
  };
}

/** Throws VnmError `unsupported`. */
function movingOf({ moving, kind }: DataPlane): NonNullable<DataPlane['moving']> {
  if (moving !== undefined) return moving;
  throw new VnmError('unsupported', `routers of the data plane '${kind}' run no routing daemon`);
}

/** Throws VnmError `unsupported`. */
function imagesOf({ images, kind }: DataPlane): NonNullable<DataPlane['images']> {
  if (images !== undefined) return images;
  throw new VnmError('unsupported', `routers of the data plane '${kind}' are no virtual machines`);
}

/** Throws VnmError `unsupported`. */
function machinesOf({ machines, kind }: DataPlane): NonNullable<DataPlane['machines']> {
  if (machines !== undefined) return machines;
  throw new VnmError('unsupported', `routers of the data plane '${kind}' are no virtual machines`);
}

/** Methods without effect that are called too often to be logged. */
const unlogged: readonly Method[] = [
  'clock',
  'stream_report',
  'watch_report',
  'inventory',
  'counters',
  'routes',
  'daemon_state',
  'daemon_image_read',
  'daemon_image_write',
  'console_log',
  'image_state',
  'machine_copy_read',
  'machine_copy_write',
  'image_write',
  'neighbour_events',
  'path_mtu',
  'collisions',
  'confirm',
  'exec_read',
  'exec_write',
];

function guarded({ policy, others, isOwnNode, log, clock }: AgentParts, handlers: Handlers): Handlers {
  const guard = <M extends Method>(method: M): Handlers[M] =>
    (async (params: Params<M>, ended?: AbortSignal) => {
      const startMs = clock.monotonicMs();
      const took = () => `${(clock.monotonicMs() - startMs).toFixed(1)} ms`;
      try {
        checkRequest(policy, method, params, concernsOtherSlices(method, params) ? await others() : [], isOwnNode);
        const result = await handlers[method](params, ended);
        if (!unlogged.includes(method)) log(`${describe(method, params)}: done in ${took()}`);
        return result;
      } catch (error) {
        log(`${describe(method, params)}: failed after ${took()}: ${messageOf(error)}`);
        throw error;
      }
    }) as Handlers[M];
  return Object.fromEntries(
    (Object.keys(handlers) as Method[]).map((method) => [method, guard(method)]),
  ) as unknown as Handlers;
}

function describe(method: Method, params: unknown): string {
  // The input of a command may be secret.
  if (method === 'exec_write') return `${method} ${(params as Params<'exec_write'>).id}`;
  // So may the memory of a daemon.
  if (method === 'daemon_image_write') return `${method} ${(params as Params<'daemon_image_write'>).namespace}`;
  // So may the memory of a guest.
  if (method === 'machine_copy_write') return `${method} ${(params as Params<'machine_copy_write'>).namespace}`;
  if (method === 'image_write') return `${method} ${(params as Params<'image_write'>).digest}`;
  if (method !== 'apply') return `${method} ${JSON.stringify(params).slice(0, 300)}`;
  const { operations, dryRun, repair } = params as Params<'apply'>;
  const counts = new Map<string, number>();
  for (const { op } of operations) counts.set(op, (counts.get(op) ?? 0) + 1);
  const how = [...(dryRun ? ['dry run'] : []), ...(repair ? ['repair'] : [])];
  const words = how.length === 0 ? 'apply' : `apply (${how.join(', ')})`;
  return `${words} ${[...counts].map(([op, count]) => `${op} x${count}`).join(' ')}`;
}
