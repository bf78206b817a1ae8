/** One batch of operations per node. */
import type { NodeName } from '../../model/names.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { VnPlan } from '../../planning/vn-plan.ts';
import type { OperationInput } from '../../vsys/operations.ts';

/** Batches by node. */
export type Batches = Map<NodeName, OperationInput[]>;

/** What the planned names need from the nodes: where tunnel packets go, and the policy's prefix for namespaces. */
export interface NodeNames {
  address(node: NodeName): string;
  namespacePrefix(node: NodeName): string;
  /** Whether the node's kernel has resilient nexthop groups. */
  resilient(node: NodeName): boolean;
  /** Whether the node can hold traffic by gates. */
  gates(node: NodeName): boolean;
}

/** A VN as it is set up on nodes. */
export interface Layout extends VnPlan {
  readonly names: NodeNames;
  /** Of all its tunnels. */
  readonly mtu: number;
  readonly urpf: UrpfMode;
}

/** One batch per node: first all of the first, then all of the second, and so on. */
export function mergeBatches(...parts: readonly Batches[]): Batches {
  const merged: Batches = new Map();
  for (const part of parts) {
    for (const [node, operations] of part) append(merged, node, ...operations);
  }
  return merged;
}

export function append(batches: Batches, node: NodeName, ...operations: readonly OperationInput[]): void {
  const batch = batches.get(node) ?? [];
  for (const operation of operations) batch.push(operation);
  batches.set(node, batch);
}
