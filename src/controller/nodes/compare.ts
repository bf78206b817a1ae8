/**
 * Compares the database with the nodes. The nodes do the comparison: each plans its batch and returns what it would
 * change.
 */

import { messageOf, VnmError } from '../../model/errors.ts';
import { sliceIds } from '../../model/ids.ts';
import type { NodeName } from '../../model/names.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { moveRouter, routerNodes } from '../../planning/instance.ts';
import type { Store } from '../../store/store.ts';
import type { Difference } from '../../vsys/difference.ts';
import type { OperationInput } from '../../vsys/operations.ts';
import { type Context, signalOption } from '../base/context.ts';
import { edgeNodes } from '../base/resolve.ts';
import { mergeBatches, type NodeNames } from '../batches/batches.ts';
import { desiredBatches, type RecordedVn } from '../batches/desired.ts';
import { type LeftOvers, leftOvers, leftOversOf } from '../batches/left-overs.ts';
import { namespaceOf } from '../batches/operations.ts';
import { type Agents, isUnreachable } from './agents.ts';
import { provideImages } from './images.ts';
import { addedRoutesRecorder } from './record-added.ts';

export interface NodeDifference extends Difference {
  readonly node: NodeName;
  /** Whether it exists in addition to what the database has; `reconcile` leaves it there. */
  readonly additional: boolean;
}

export interface NodeFailure {
  readonly node: NodeName;
  readonly message: string;
}

/** How the nodes differ from the database. */
export interface Comparison {
  readonly differences: NodeDifference[];
  /** The unreachable nodes. */
  readonly unreachable: NodeFailure[];
  /** Nodes that could not apply their batch, and changed nothing. */
  readonly failed: NodeFailure[];
}

export interface Comparing {
  /** The VNs to compare. Only their nodes have to be connected. */
  readonly meant: readonly RecordedVn[];
  /** All recorded VNs of the slice, if all its nodes are connected: then what belongs to none of them is found, too. */
  readonly recorded?: readonly RecordedVn[];
  /** If false, the nodes are repaired. */
  readonly dryRun: boolean;
  /** Whether to look only for what is missing or differs, not for what is there in addition. */
  readonly onlyMeant?: boolean;
}

/**
 * Compares every connected node separately, so that one that fails does not hide the others. Records the routes that
 * were added to its routers.
 */
export async function compareNodes(context: Context, agents: Agents, comparing: Comparing): Promise<Comparison> {
  const { slice } = agents;
  const { names, refuseUnknown } = withoutAddresses(agents);
  const batchesOf = (vns: readonly RecordedVn[]) =>
    mergeBatches(...vns.map((vn) => desiredBatches({ ...vn, names }, vn)));
  const meant = batchesOf(comparing.meant);
  const needed = comparing.recorded === undefined ? undefined : batchesOf(comparing.recorded);
  const { interfacePrefix } = sliceIds(slice);
  const isDecided = withoutMovingDaemons([...comparing.meant, ...(comparing.recorded ?? [])], agents);
  const recorders = comparing.meant.map(({ vn }) => addedRoutesRecorder(context, agents, vn));
  const differences = new Map<string, NodeDifference[]>();
  const failures = new Map<string, unknown>(agents.missing);
  // Requests of an earlier command that are still under way must not change the nodes after they are compared.
  if (!comparing.dryRun) agents.claim();

  async function findLeftOvers(node: NodeName, batch: readonly OperationInput[]): Promise<LeftOvers> {
    const inventory = await agents.get(node).call('inventory', {}, signalOption(context));
    const left = leftOvers(inventory, (needed ?? meant).get(node) ?? [], interfacePrefix);
    return needed === undefined ? leftOversOf(left, batch) : left;
  }

  async function compareNode(node: NodeName): Promise<NodeDifference[]> {
    const options = signalOption(context);
    const batch = meant.get(node) ?? [];
    refuseUnknown(batch);
    const { dryRun, onlyMeant = false } = comparing;
    if (onlyMeant && batch.length === 0) return [];
    const { removal, additional } = onlyMeant ? { removal: [], additional: [] } : await findLeftOvers(node, batch);
    const operations = [...batch, ...removal].filter(isDecided);
    if (!dryRun) await provideImages(context, agents, new Map([[node, operations]]));
    const answer = await agents.get(node).call('apply', { operations, repair: true, dryRun }, options);
    for (const recordAdded of recorders) await recordAdded(node);
    return [
      ...(answer.differences ?? []).map((difference) => ({ node, ...difference, additional: false })),
      ...additional.map((difference) => ({ node, ...difference, additional: true })),
    ];
  }

  await Promise.all(
    agents.nodes().map(async (node) => {
      try {
        differences.set(node, await compareNode(node));
      } catch (error) {
        context.signal?.throwIfAborted();
        failures.set(node, error);
      }
    }),
  );
  const failed = (which: (error: unknown) => boolean) =>
    [...failures].filter(([, error]) => which(error)).map(([node, error]) => ({ node, message: messageOf(error) }));
  return {
    differences: [...slice.nodes.keys()].flatMap((node) => differences.get(node) ?? []),
    unreachable: failed(isUnreachable),
    failed: failed((error) => !isUnreachable(error)),
  };
}

/**
 * Where the daemon or the machine of a moving router must be, and its packets, only the move knows, which makes sure of
 * it itself: at neither of the router's places may it be started or ended.
 */
function withoutMovingDaemons(vns: readonly RecordedVn[], names: NodeNames): (operation: OperationInput) => boolean {
  const places = vns.flatMap(({ instances }) =>
    instances.flatMap(({ instance }) =>
      [...(instance.moving ?? [])].flatMap(([router, node]) =>
        [instance, moveRouter(instance, router, node)].map((place) => namespaceOf(place, router, names)),
      ),
    ),
  );
  const undecided = new Set(places);
  return (operation) => {
    switch (operation.op) {
      case 'daemon_up':
        // A switch forwards at both places.
        return operation.kind === 'openvswitch' || !undecided.has(operation.namespace);
      case 'daemon_down':
      case 'control_down':
      case 'machine_up':
      case 'machine_down':
        return !undecided.has(operation.namespace);
      default:
        return true;
    }
  };
}

/**
 * The host name of a dead node may no longer resolve, so that its address is unknown. Batches with a tunnel to it are
 * planned anyway and refused one by one, so that the other nodes do not depend on it.
 */
function withoutAddresses(agents: Agents): { names: NodeNames; refuseUnknown(batch: readonly OperationInput[]): void } {
  const unknown = new Map<string, string>();
  const address = (node: NodeName) => {
    try {
      return agents.address(node);
    } catch (error) {
      const name = `address of ${node}`;
      unknown.set(name, `the other end of a tunnel, node '${node}', has no known address: ${messageOf(error)}`);
      return name;
    }
  };
  const refuseUnknown = (batch: readonly OperationInput[]) => {
    for (const operation of batch) {
      const fault = operation.op === 'tunnel_up' && 'remote' in operation && unknown.get(operation.remote);
      if (typeof fault === 'string') throw new VnmError('failed', fault);
    }
  };
  return { names: { ...agents, address }, refuseUnknown };
}

/** The nodes where something of these VNs is, may be or was: all nodes of their placements and instances. */
export function nodesOf(store: Store, slice: Slice, vns: readonly VirtualNetwork[]): Set<NodeName> {
  const instances = vns.flatMap((vn) => store.instances.list({ slice: slice.name, vn: vn.name }));
  const placements = vns.flatMap((vn) => [...vn.placements.values()]);
  return new Set([
    ...vns.flatMap(edgeNodes),
    ...placements.flatMap((placement) => [...placement.values()]),
    ...instances.flatMap(({ id }) => routerNodes(store.instances.plan(id))),
  ]);
}

export function recordReconciled(
  store: Store,
  slice: Slice,
  vn: string | undefined,
  repaired: readonly NodeDifference[],
): void {
  const nodes = [...new Set(repaired.map(({ node }) => node))];
  const what = vn === undefined ? 'slice' : `VN '${vn}'`;
  const count = repaired.length === 1 ? '1 difference' : `${repaired.length} differences`;
  store.events.add(slice.name, 'reconciled', `${what}: ${count} repaired on ${nodes.join(', ')}`, repaired);
}
