/** Pure: plans the parts of a testbed for some slices. */
import { formatAddress, formatPrefix, parseAddress } from '../model/address.ts';
import type { Dataplane } from '../model/dataplane.ts';
import { VnmError } from '../model/errors.ts';
import { sliceIds } from '../model/ids.ts';
import { declaredLatencyMs, type Slice } from '../model/slice.ts';
import { type Policy, policySchema } from '../vsys/policy.ts';
import type { Impairment, LinkPlan } from './links/properties.ts';
import type { ServerKind } from './record.ts';

/** The underlay's own network (in RFC 2544's range, which no real network uses), and the relay's. */
const underlayBase = parseAddress('198.18.0.0');
const relayBase = parseAddress('198.19.0.0');
/** A Linux bridge has at most 1023 ports. */
const maxNodes = 1000;

export interface TestbedPlan {
  readonly id: string;
  readonly server: ServerKind;
  readonly nodes: readonly PlannedNode[];
  /** One-way latency in ms, by the nodes' positions in `nodes`: `[from][to]`. */
  readonly delaysMs: readonly (readonly number[])[];
  readonly latency: 'relay' | 'none';
  /** Absent on a kernel testbed. */
  readonly dataplane?: 'userspace';
  readonly impairment?: Impairment;
}

export interface PlannedNode {
  readonly name: string;
  readonly namespace: string;
  /** The node's own address on the underlay. */
  readonly underlay: string;
  /** The address to which other nodes send tunnel packets. */
  readonly address: string;
  /** One for each slice that uses the node. */
  readonly policies: readonly Policy[];
}

/**
 * Merges the nodes without `host` of all slices by name. Throws VnmError `conflict` when two slices declare different
 * latencies between the same nodes, `invalid-input` for names or numbers of nodes that a testbed cannot hold.
 */
export function planTestbed(
  slices: readonly Slice[],
  id: string,
  server: ServerKind,
  dataplane: Dataplane = 'kernel',
  impairment?: Impairment,
): TestbedPlan {
  if (dataplane === 'kernel') refuseUserspaceNodes(slices);
  const names = [...new Set(slices.flatMap(localNodes))].sort();
  if (names.length === 0) {
    throw new VnmError('invalid-input', 'no slice has a node for the local testbed', {
      hint: 'leave out `host` for nodes that belong on it',
    });
  }
  if (names.length > maxNodes) {
    throw new VnmError('invalid-input', `${names.length} nodes are too many for a local testbed (at most ${maxNodes})`);
  }
  const delaysMs = names.map((from) => names.map((to) => mergedLatencyMs(slices, from, to)));
  const needsRelay = impairment !== undefined || delaysMs.flat().some((delayMs) => delayMs > 0);
  const latency = needsRelay ? 'relay' : 'none';
  const users = slices.map((slice) => ({ slice, local: new Set(localNodes(slice)) }));
  const nodes = names.map((name, index) => ({
    name,
    namespace: nodeNamespace(id, name),
    underlay: formatAddress(underlayBase + 257 + index),
    address: formatAddress((latency === 'relay' ? relayBase : underlayBase) + 257 + index),
    policies: users.flatMap(({ slice, local }) => (local.has(name) ? [nodePolicy(id, name, slice)] : [])),
  }));
  return {
    ...{ id, server, nodes, delaysMs, latency },
    ...(dataplane === 'userspace' ? { dataplane } : {}),
    ...(impairment === undefined ? {} : { impairment }),
  };
}

export function linkPlanOf({ nodes, delaysMs, impairment }: TestbedPlan): LinkPlan {
  return { names: nodes.map(({ name }) => name), delaysMs, ...(impairment === undefined ? {} : { impairment }) };
}

function refuseUserspaceNodes(slices: readonly Slice[]): void {
  for (const { name: slice, nodes } of slices) {
    const node = [...nodes.values()].find(({ host, dataplane }) => host === undefined && dataplane === 'userspace');
    if (node === undefined) continue;
    throw new VnmError('conflict', `node '${node.name}' of slice '${slice}' needs the userspace data plane`, {
      hint: 'run pl-vnm testbed up with --dataplane userspace',
    });
  }
}

export function underlayNamespace(id: string): string {
  return `pt${id}_net`;
}

function nodeNamespace(id: string, node: string): string {
  return `pt${id}-${node}`;
}

function localNodes(slice: Slice): string[] {
  return [...slice.nodes.values()].filter((node) => node.host === undefined).map((node) => node.name);
}

/** Nodes without a common slice do not talk to each other; nothing delays them. */
function mergedLatencyMs(slices: readonly Slice[], from: string, to: string): number {
  const sharing = slices.filter((slice) => slice.nodes.has(from) && slice.nodes.has(to));
  const [first, ...others] = sharing.map((slice) => ({
    slice: slice.name,
    ms: declaredLatencyMs(slice.latency, from, to),
  }));
  if (first === undefined) return 0;
  const other = others.find(({ ms }) => ms !== first.ms);
  if (other !== undefined) {
    throw new VnmError(
      'conflict',
      `the latency from '${from}' to '${to}' is ${first.ms} ms in slice '${first.slice}' and ${other.ms} ms in slice '${other.slice}'`,
      { hint: 'declare the same latencies between shared nodes in all slices of a testbed' },
    );
  }
  return first.ms;
}

/** The policy that an administrator of the node would grant the slice: its subnet, and the ids of its number. */
function nodePolicy(id: string, node: string, slice: Slice): Policy {
  const { interfacePrefix, table, rulePriority, nexthops, vnis } = sliceIds(slice);
  const policy = policySchema.safeParse({
    slice: slice.name,
    vnet: formatPrefix(slice.vnet),
    interfacePrefix,
    // No node name has a dot, so no node's prefix begins another's.
    namespacePrefix: `${nodeNamespace(id, node)}.${slice.name}_`,
    table,
    rulePriority,
    nexthops,
    vnis,
  });
  if (policy.success) return policy.data;
  throw new VnmError('invalid-input', `node '${node}' cannot have a policy for slice '${slice.name}'`, {
    hint: 'choose shorter names: on a local testbed the two together may have 53 characters',
    cause: policy.error,
  });
}
