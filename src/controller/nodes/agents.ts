import { type Clock, steadyClock, systemClock } from '../../clock/clock.ts';
import { formatPrefix } from '../../model/address.ts';
import { type ErrorCode, messageOf, VnmError } from '../../model/errors.ts';
import { sliceIds, userspacePort } from '../../model/ids.ts';
import { ownLimits } from '../../model/limits.ts';
import type { NodeName } from '../../model/names.ts';
import type { Slice } from '../../model/slice.ts';
import { type AgentConnection, type AgentTarget, combine, connectReachable } from '../../transport/agent-connection.ts';
import type { Feature, NodeFacts } from '../../vsys/messages.ts';
import type { OperationResult } from '../../vsys/operations.ts';
import { type Policy, policySchema } from '../../vsys/policy.ts';
import { claimsOf } from '../base/claim.ts';
import { type Context, signalOption } from '../base/context.ts';
import { traced } from '../base/traced.ts';
import type { Batches, NodeNames } from '../batches/batches.ts';
import { findAddress, placesOf } from './places.ts';

/** The agents on some nodes of a slice, each with one open channel. */
export interface Agents extends NodeNames {
  readonly slice: Slice;
  /**
   * The controller's clock, which does not step while the connections last: estimates of other clocks are relative to
   * it.
   */
  readonly clock: Clock;
  /** Throws VnmError `unreachable` or `timeout`, with the reason, if the node is unreachable. */
  get(node: NodeName): AgentConnection;
  /** The connected nodes. */
  nodes(): NodeName[];
  /**
   * The nodes that are unreachable now, and why. Empty at first except with `withReachable`; a channel that ends adds
   * its node.
   */
  readonly missing: ReadonlyMap<NodeName, VnmError>;
  /** The nodes that were unreachable at first: they are not tried again where the command can do without them. */
  readonly givenUp: ReadonlySet<NodeName>;
  /** Claims what the command has locked, before it reads what it will change; otherwise its first change claims. */
  claim(): void;
  /** Checks whether these nodes answer; those that do not within a few seconds are `missing` from then on. */
  check(nodes: Iterable<NodeName>): Promise<void>;
  /**
   * Tries once to connect to the unreachable ones of these nodes, also after the context's signal has aborted. A node
   * that did not answer in time, to a request or to a connection attempt, is not tried again in this command. Throws as
   * `withReachable`.
   */
  revive(nodes: Iterable<NodeName>): Promise<void>;
}

/**
 * Connects to the nodes in parallel, runs `body`, and closes all channels except the context's own connections. Throws
 * VnmError `unreachable` that names every unreachable node.
 */
export async function withAgents<T>(
  context: Context,
  slice: Slice,
  nodes: Iterable<NodeName>,
  body: (agents: Agents) => Promise<T>,
): Promise<T> {
  return withReachable(context, slice, nodes, (agents) => {
    requireNodes(agents, agents.missing.keys());
    return body(agents);
  });
}

/** Throws one VnmError that names the unreachable ones of the nodes. */
export function requireNodes({ missing }: Agents, nodes: Iterable<NodeName>): void {
  const faults = [...new Set(nodes)].flatMap((node) => missing.get(node) ?? []);
  if (faults.length > 0) throw combine(faults);
}

/**
 * As `withAgents`, but continues without the unreachable nodes, which are `missing`. Throws for every other fault; with
 * `faulty: 'missing'`, nodes with other faults are `missing` too, as long as one node works.
 */
export async function withReachable<T>(
  context: Context,
  slice: Slice,
  nodes: Iterable<NodeName>,
  body: (agents: Agents) => Promise<T>,
  { faulty = 'throw' }: { faulty?: 'throw' | 'missing' } = {},
): Promise<T> {
  const places = placesOf(context, slice, [...new Set(nodes)]);
  const byNode = new Map<string, AgentConnection>();
  const missing = new Map<string, VnmError>();
  const silent = new Set<string>();
  /** Facts of all nodes that were once connected: a batch for an unreachable one may reach it when it is back. */
  const known = new Map<string, NodeFacts>();
  const listeners: (() => void)[] = [];
  const claims = claimsOf(context.lock);
  const get = (node: NodeName) => {
    const connection = byNode.get(node);
    if (connection !== undefined) return connection;
    throw missing.get(node) ?? new VnmError('failed', `node '${node}' is not connected`);
  };

  async function connect(targets: readonly AgentTarget[], signal?: AbortSignal): Promise<void> {
    const beganAtMs = performance.now();
    const { connections, failures: faults } = await (context.connections?.connect ?? connectReachable)(targets, {
      acceptNewHostKeys: context.acceptNewHostKeys,
      policy: ownPolicy(slice),
      ...signalOption({ signal }),
    });
    const names = connections.map(({ node }) => node).join(', ');
    context.detail?.(`connected to ${names || 'no node'} in ${(performance.now() - beganAtMs).toFixed(0)} ms`);
    const failures = new Map(faults);
    const admitting = connections.map(async (connection) => {
      try {
        await admit(connection);
      } catch (error) {
        failures.set(connection.node, error);
        if (context.connections === undefined) connection.close();
      }
    });
    await Promise.all(admitting);
    signal?.throwIfAborted();
    const isTolerated = faulty === 'missing' && failures.size < targets.length;
    for (const [node, failure] of failures) {
      if (!isUnreachable(failure) && !isTolerated) throw combine([...failures.values()]);
      if (failure instanceof VnmError && failure.code === 'timeout') silent.add(node);
      missing.set(node, failure instanceof VnmError ? failure : new VnmError('failed', messageOf(failure)));
    }
  }

  async function admit(connection: AgentConnection): Promise<void> {
    const { node } = connection;
    checkPolicy(slice, connection);
    const seen = context.detail === undefined ? connection : traced(connection, context.detail);
    const own = await claims.use(seen);
    missing.delete(node);
    byNode.set(node, own);
    known.set(node, own.facts);
    const forget = own.onClose((error) => {
      if (error === undefined || byNode.get(node) !== own) return;
      byNode.delete(node);
      missing.set(node, error);
      if (error.code === 'timeout') silent.add(node);
    });
    listeners.push(forget);
  }

  async function checkOne(node: NodeName): Promise<void> {
    const connection = byNode.get(node);
    try {
      await connection?.call('clock', {}, { timeoutMs: connection.limits.questionMs });
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      if (byNode.get(node) !== connection) return;
      byNode.delete(node);
      missing.set(node, error);
      // Its channel may appear open for a while.
      connection?.abandon(error);
    }
  }

  const reviving = new Map<string, Promise<void>>();
  function reviveOne(target: AgentTarget): Promise<void> {
    const attempt = reviving.get(target.node) ?? connect([target]).finally(() => reviving.delete(target.node));
    reviving.set(target.node, attempt);
    return attempt;
  }
  async function revive(nodes: Iterable<NodeName>): Promise<void> {
    const asked = new Set(nodes);
    const targets = places
      .map(({ target }) => target)
      .filter(({ node }) => asked.has(node) && missing.has(node) && !silent.has(node));
    const attempts = await Promise.allSettled(targets.map(reviveOne));
    const faults = attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason as unknown] : []));
    if (faults.length > 0) throw combine(faults);
  }

  try {
    await connect(
      places.map(({ target }) => target),
      context.signal,
    );
    const addresses = new Map<string, string>();
    for (const { node, address } of await Promise.all(places.map(findAddress))) {
      // The host name of a dead node may no longer resolve.
      if (typeof address === 'string') addresses.set(node, address);
      else if (!missing.has(node)) throw address;
    }
    return await body({
      slice,
      clock: steadyClock(systemClock),
      get,
      missing,
      givenUp: new Set(missing.keys()),
      claim: claims.claim,
      check: async (nodes) => void (await Promise.all([...new Set(nodes)].map(checkOne))),
      revive,
      nodes: () => [...byNode.keys()],
      address: (node) => {
        const address = addresses.get(node);
        if (address === undefined) throw missing.get(node) ?? new VnmError('failed', `node '${node}' has no address`);
        return address;
      },
      // A node that was unreachable from the start has what it was given earlier.
      port: (node) => places.find(({ target }) => target.node === node)?.tunnelPort ?? userspacePort(slice.number),
      tunnelKey: () => context.store.slices.tunnelKey(slice.name),
      namespacePrefix: (node) => known.get(node)?.policy.namespacePrefix ?? defaultPolicy(slice).namespacePrefix,
      resilient: (node) => !known.has(node) || hasFeature(known.get(node)!, 'resilient-groups'),
      gates: (node) => !known.has(node) || hasFeature(known.get(node)!, 'ifb-gate'),
    });
  } finally {
    for (const forget of listeners) forget();
    if (context.connections === undefined) for (const connection of byNode.values()) connection.close();
  }
}

/** How a connection fails to a node that is unreachable, or does not answer. */
const unreachableCodes: readonly ErrorCode[] = ['unreachable', 'timeout'];

export function isUnreachable(error: unknown): error is VnmError {
  return error instanceof VnmError && unreachableCodes.includes(error.code);
}

/** The agents' results, by node. */
export type Applied = Map<string, OperationResult[]>;

/**
 * Sends every node its batch, in parallel. On failures waits for all nodes, then throws one error that names each
 * failed one.
 */
export async function applyAll(agents: Agents, batches: Batches, signal?: AbortSignal): Promise<Applied> {
  const applied: Applied = new Map();
  const failures: [string, VnmError][] = [];
  await Promise.all(
    [...batches].map(async ([node, operations]) => {
      try {
        const options = signalOption({ signal });
        applied.set(node, (await agents.get(node).call('apply', { operations }, options)).results);
      } catch (error) {
        failures.push([
          node,
          error instanceof VnmError ? error : new VnmError('failed', messageOf(error), { cause: error }),
        ]);
      }
    }),
  );
  const error = combineByNode(failures);
  if (error !== undefined) throw error;
  return applied;
}

/** Combines the failures into one error that names each node; undefined if there are none. */
export function combineByNode(failures: readonly (readonly [string, VnmError])[]): VnmError | undefined {
  const [first, ...others] = failures.map(
    ([node, error]) => new VnmError(error.code, `node '${node}': ${error.message}`, { hint: error.hint, cause: error }),
  );
  if (first === undefined || others.length === 0) return first;
  const message = [first, ...others].map((failure) => failure.message).join('\n');
  return new VnmError(first.code, message, { hint: first.hint, cause: first });
}

/**
 * As `applyAll`, but continues without unreachable nodes and returns them. Tries them once more, except those given up.
 * What was to be removed from them stays there; `reconcile` finds it by its mark.
 */
export async function applyWhereReachable(
  agents: Agents,
  batches: Batches,
  givenUp: ReadonlySet<string> = new Set(),
): Promise<string[]> {
  const left = await applyOnce(agents, batches);
  const retried = left.filter((node) => !givenUp.has(node));
  if (retried.length === 0) return left;
  await agents.revive(retried);
  return applyOnce(agents, new Map(left.map((node) => [node, batches.get(node)!])));
}

async function applyOnce(agents: Agents, batches: Batches): Promise<string[]> {
  const left = await Promise.all(
    [...batches].map(async ([node, operations]) => {
      if (agents.missing.has(node)) return [node];
      try {
        await applyAll(agents, new Map([[node, operations]]));
        return [];
      } catch (error) {
        if (isUnreachable(error)) return [node];
        throw error;
      }
    }),
  );
  return left.flat();
}

/** How many operations changed something. */
export function countChanges(applied: Applied): number {
  return [...applied.values()].flat().filter((result) => result.status === 'changed').length;
}

/** The policy that a user's own node gets on first use. */
export function ownPolicy(slice: Slice): Policy {
  return { ...defaultPolicy(slice), limits: ownLimits };
}

/** The policy that an administrator gives the slice on a node, unless the command names limits or operations. */
export function defaultPolicy(slice: Slice): Policy {
  const { slotSize: _, ...ids } = sliceIds(slice);
  return policySchema.parse({
    slice: slice.name,
    vnet: formatPrefix(slice.vnet),
    // Slice names have no underscore, so no slice's prefix begins with another slice's.
    namespacePrefix: `pv-${slice.name}_`,
    ...ids,
  });
}

export function hasFeature(facts: NodeFacts, name: Feature['name']): boolean {
  return facts.features.some((feature) => feature.name === name && feature.available);
}

/** Fails early if the policy was made for another number, size or subnet: it would refuse some or all operations. */
function checkPolicy(slice: Slice, { node, facts: { policy, plane } }: AgentConnection): void {
  const isUserspace = slice.nodes.get(node)?.dataplane === 'userspace';
  if (isUserspace !== (plane === 'userspace')) {
    const [has, means] = isUserspace ? ['kernel', 'userspace'] : ['userspace', 'kernel'];
    throw new VnmError('conflict', `node '${node}' has the ${has} data plane, but the slice file means ${means}`, {
      hint: `change the slice file's dataplane; or uninstall the slice there, and run pl-vnm agent forget ${slice.name} ${node}`,
    });
  }
  const wanted = defaultPolicy(slice);
  for (const key of ['vnet', 'interfacePrefix', 'table'] as const) {
    if (policy[key] === wanted[key]) continue;
    throw new VnmError(
      'conflict',
      `node '${node}' has a policy for slice '${slice.name}' with ${key} ${policy[key]}, but the slice file has ${wanted[key]}`,
      {
        hint: `change the slice file's vnet or number; or uninstall the slice and run pl-vnm agent forget ${slice.name} ${node}`,
      },
    );
  }
  for (const key of ['nexthops', 'vnis'] as const) {
    const [{ first, last }, needed] = [policy[key], wanted[key]];
    if (first <= needed.first && needed.last <= last) continue;
    const needs = `${needed.first} to ${needed.last}`;
    throw new VnmError(
      'conflict',
      `node '${node}' has a policy for slice '${slice.name}' with ${key} ${first} to ${last}, but the slice needs ${needs}`,
      { hint: `uninstall the slice and run pl-vnm agent forget ${slice.name} ${node}, or ask for a new policy there` },
    );
  }
}
