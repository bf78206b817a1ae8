/** The way to a router, a gateway or an end host: the agent of its node, and a router's network namespace there. */
import { VnmError } from '../../model/errors.ts';
import type { NamespaceName, NodeName } from '../../model/names.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { Context } from '../base/context.ts';
import { activeInstance } from '../base/resolve.ts';
import { namespaceOf } from '../batches/operations.ts';
import { withAgents } from '../nodes/agents.ts';
import { describePlace, edgeNodeOf, type Place } from './place.ts';

export interface PlaceAccess {
  readonly connection: AgentConnection;
  readonly node: NodeName;
  /** That of a router; a gateway and an end host use the node's own network. */
  readonly namespace?: NamespaceName;
}

/** The active instance of the VN. Throws VnmError `not-found`. */
export function instanceOf(context: Context, slice: Slice, vn: VirtualNetwork): Instance {
  return activeInstance(context.store, slice, vn).instance;
}

/**
 * Runs `body` with a connection to the node of a place. Throws VnmError `not-found` if the VN is not installed,
 * `unsupported` for routers and gateways of the userspace data plane, and as `withAgents`.
 */
export function atPlace<T>(
  context: Context,
  slice: Slice,
  place: Place,
  body: (access: PlaceAccess) => Promise<T>,
): Promise<T> {
  const instance = instanceOf(context, slice, place.vn);
  const node = edgeNodeOf(place) ?? instance.placement.get(place.name)!;
  return withAgents(context, slice, [node], async (agents) => {
    const connection = agents.get(node);
    if (connection.facts.plane === 'userspace' && place.kind !== 'end host') throw isCode(slice, place, node);
    if (place.kind !== 'router') return body({ connection, node });
    return body({ connection, node, namespace: namespaceOf(instance, place.name, agents) });
  });
}

/** The error for what has no network of the kernel. */
export function isCode({ name }: Slice, place: Place, node: NodeName): VnmError {
  return new VnmError(
    'unsupported',
    `${describePlace(place)} is code in the agent of node '${node}' (userspace data plane): it has no network namespace`,
    { hint: `look at it with pl-vnm status ${name} --live or pl-vnm counters ${name}` },
  );
}

/** Names the node in an error of its agent. */
export function atNode(node: NodeName): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof VnmError)) throw error;
    throw new VnmError(error.code, `node '${node}': ${error.message}`, { hint: error.hint, cause: error });
  };
}
