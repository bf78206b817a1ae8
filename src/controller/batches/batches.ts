/** One batch of operations per node. */
import type { NodeName } from '../../model/names.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { VnPlan } from '../../planning/vn-plan.ts';
import type { OperationInput } from '../../vsys/operations.ts';

/** Batches by node. */
export type Batches = Map<NodeName, OperationInput[]>;

/**
 * What plans need to know about the nodes: the addresses for tunnel packets, the policy's prefix for namespaces, and
 * some features.
 */
export interface NodeNames {
  address(node: NodeName): string;
  /** The UDP port of `address` for tunnel packets, on a node with the userspace data plane. */
  port(node: NodeName): number;
  /** The slice's key for tunnels of the userspace data plane, hexadecimal. */
  tunnelKey(): string;
  namespacePrefix(node: NodeName): string;
  /** Whether the node's kernel has resilient nexthop groups. */
  resilient(node: NodeName): boolean;
  /** Whether the node can hold traffic at gates. */
  gates(node: NodeName): boolean;
}

/** A VN with everything that setting it up on nodes needs. */
export interface Layout extends VnPlan {
  readonly names: NodeNames;
  /** The MTU of all its tunnels. */
  readonly mtu: number;
  readonly urpf: UrpfMode;
}

/** Returns one batch per node, with the operations of the parts in their order. */
export function mergeBatches(...parts: readonly Batches[]): Batches {
  const merged: Batches = new Map();
  for (const part of parts) {
    for (const [node, operations] of part) {
      for (const operation of operations) append(merged, node, operation);
    }
  }
  return merged;
}

export function append(batches: Batches, node: NodeName, operation: OperationInput): void {
  const batch = batches.get(node);
  if (batch === undefined) batches.set(node, [operation]);
  else batch.push(operation);
}
