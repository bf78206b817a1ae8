import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { type Clock, steadyClock, systemClock } from '../clock/clock.ts';
import { formatPrefix } from '../model/address.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { sliceIds } from '../model/ids.ts';
import type { Slice, SubstrateNode } from '../model/slice.ts';
import type { TestbedPlaces } from '../store/testbeds.ts';
import { type AgentConnection, type AgentTarget, connectAgents } from '../transport/agent-connection.ts';
import type { Feature, NodeFacts } from '../vsys/messages.ts';
import type { OperationResult } from '../vsys/operations.ts';
import { type Policy, policySchema } from '../vsys/policy.ts';
import { type Context, signalOption } from './context.ts';
import type { Batches, NodeNames } from './operations.ts';

/** The agents of some nodes of a slice, each on one kept channel. */
export interface Agents extends NodeNames {
  readonly slice: Slice;
  /** The controller's clock, which does not step while the connections last: estimates of other clocks refer to it. */
  readonly clock: Clock;
  get(node: string): AgentConnection;
  nodes(): string[];
}

/** Connects to the nodes in parallel, runs `body`, and closes all channels. Throws `unreachable` naming every node away. */
export async function withAgents<T>(
  context: Context,
  slice: Slice,
  nodes: Iterable<string>,
  body: (agents: Agents) => Promise<T>,
): Promise<T> {
  const places = placesOf(context, slice, [...new Set(nodes)]);
  const connections = await connectAgents(
    places.map(({ target }) => target),
    {
      acceptNewHostKeys: context.acceptNewHostKeys,
      policy: defaultPolicy(slice),
      ...signalOption(context),
    },
  );
  try {
    for (const connection of connections) checkPolicy(slice, connection);
    const addresses = new Map(
      await Promise.all(places.map(async (place) => [place.target.node, await tunnelAddress(place)] as const)),
    );
    const byNode = new Map(connections.map((connection) => [connection.node, connection]));
    const get = (node: string) => {
      const connection = byNode.get(node);
      if (connection === undefined) throw new VnmError('failed', `node '${node}' is not connected`);
      return connection;
    };
    return await body({
      slice,
      clock: steadyClock(systemClock),
      get,
      nodes: () => [...byNode.keys()],
      address: (node) => addresses.get(node)!,
      namespacePrefix: (node) => get(node).facts.policy.namespacePrefix,
      resilient: (node) => hasFeature(get(node).facts, 'resilient-groups'),
    });
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** What the agent did on each node. */
export type Applied = Map<string, OperationResult[]>;

/** Sends every node its batch, all at once. On failures waits for all nodes, then throws one error that names each. */
export async function applyAll(agents: Agents, batches: Batches, signal?: AbortSignal): Promise<Applied> {
  const applied: Applied = new Map();
  const failures: VnmError[] = [];
  await Promise.all(
    [...batches].map(async ([node, operations]) => {
      try {
        const options = { timeoutMs: 120_000, ...signalOption({ signal }) };
        applied.set(node, (await agents.get(node).call('apply', { operations }, options)).results);
      } catch (error) {
        const code = error instanceof VnmError ? error.code : 'failed';
        const hint = error instanceof VnmError ? error.hint : undefined;
        failures.push(new VnmError(code, `node '${node}': ${messageOf(error)}`, { cause: error, hint }));
      }
    }),
  );
  const [first, ...others] = failures;
  if (first === undefined) return applied;
  if (others.length === 0) throw first;
  throw new VnmError(first.code, failures.map((failure) => failure.message).join('\n'), {
    hint: first.hint,
    cause: first,
  });
}

/** How many operations changed something. */
export function countChanges(applied: Applied): number {
  return [...applied.values()].flat().filter((result) => result.status === 'changed').length;
}

/** The policy that a node of one's own gets on first use. */
export function defaultPolicy(slice: Slice): Policy {
  const ids = sliceIds(slice.number);
  return policySchema.parse({
    slice: slice.name,
    vnet: formatPrefix(slice.vnet),
    // A slice's name has no underscore, so no slice's prefix begins with another's.
    namespacePrefix: `pv-${slice.name}_`,
    ...ids,
  });
}

export function hasFeature(facts: NodeFacts, name: Feature['name']): boolean {
  return facts.features.some((feature) => feature.name === name && feature.available);
}

/** A policy made for another number or subnet would refuse everything, or half of it; better to say so at once. */
function checkPolicy(slice: Slice, { node, facts: { policy } }: AgentConnection): void {
  const wanted = defaultPolicy(slice);
  for (const key of ['vnet', 'interfacePrefix', 'table'] as const) {
    if (policy[key] === wanted[key]) continue;
    throw new VnmError(
      'conflict',
      `node '${node}' has a policy for slice '${slice.name}' with ${key} ${policy[key]}, the slice file means ${wanted[key]}`,
      {
        hint: "change the slice file's vnet or number, or have the policy file on the node changed",
      },
    );
  }
}

interface Place {
  readonly target: AgentTarget;
  readonly node: SubstrateNode;
  readonly testbedAddress?: string;
}

/** Where each node is: the slice file says, or the local testbed. */
function placesOf(context: Context, slice: Slice, names: readonly string[]): Place[] {
  const row = context.store.testbeds.forSlice(slice.name);
  const testbed = row?.record == null ? undefined : (JSON.parse(row.record) as TestbedPlaces);
  return names.map((name) => {
    const node = slice.nodes.get(name);
    if (node === undefined) throw new VnmError('not-found', `slice '${slice.name}' has no substrate node '${name}'`);
    if (node.host !== undefined) {
      const { host, port = 22, user = 'root', key } = node;
      const target = {
        node: name,
        slice: slice.name,
        host,
        port,
        user,
        ...(key === undefined ? {} : { keyPath: key }),
      };
      return { target, node };
    }
    const place = testbed?.nodes.find((candidate) => candidate.name === name);
    if (testbed === undefined || place === undefined) {
      throw new VnmError(
        'not-found',
        `node '${name}' of slice '${slice.name}' has no host, and no local testbed gives it a place`,
        {
          hint: `pl-vnm testbed up SLICE.yaml, or give the node a host in the slice file`,
        },
      );
    }
    const { host, port, user, key: keyPath, address } = place;
    const target = { node: name, slice: slice.name, host, port, user, keyPath, knownHostsPath: testbed.knownHosts };
    return { target, node, testbedAddress: address };
  });
}

/** Where other nodes send tunnel packets: an IPv4 address. */
async function tunnelAddress({ node, target, testbedAddress }: Place): Promise<string> {
  const address = node.address ?? testbedAddress ?? target.host;
  if (isIPv4(address)) return address;
  try {
    return (await lookup(address, { family: 4 })).address;
  } catch (error) {
    throw new VnmError('unreachable', `node '${node.name}': no IPv4 address for '${address}'`, {
      hint: "give the node an 'address' in the slice file",
      cause: error,
    });
  }
}
