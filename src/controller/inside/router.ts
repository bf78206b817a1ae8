/** The way to a router: the agent of its node, and the router's network namespace there. */
import { VnmError } from '../../model/errors.ts';
import type { NamespaceName, NodeName } from '../../model/names.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { Context } from '../base/context.ts';
import { activeInstance } from '../base/resolve.ts';
import { namespaceOf } from '../batches/operations.ts';
import { withAgents } from '../nodes/agents.ts';

export interface RouterAccess {
  readonly connection: AgentConnection;
  readonly node: NodeName;
  readonly namespace: NamespaceName;
}

/** The active instance of the VN. Throws VnmError `not-found`. */
export function instanceOf(context: Context, slice: Slice, vn: VirtualNetwork): Instance {
  return activeInstance(context.store, slice, vn).instance;
}

/**
 * Runs `body` with a connection to the node of a router. Throws VnmError `unsupported` if the router has no namespace,
 * and as `withAgents`.
 */
export function atRouter<T>(
  context: Context,
  slice: Slice,
  { instance, router }: { readonly instance: Instance; readonly router: string },
  body: (access: RouterAccess) => Promise<T>,
): Promise<T> {
  const node = instance.placement.get(router)!;
  return withAgents(context, slice, [node], async (agents) => {
    const connection = agents.get(node);
    if (connection.facts.plane === 'userspace') throw noNamespace(slice, router, node);
    return body({ connection, node, namespace: namespaceOf(instance, router, agents) });
  });
}

function noNamespace({ name }: Slice, router: string, node: NodeName): VnmError {
  return new VnmError(
    'unsupported',
    `router '${router}' is code in the agent of node '${node}' (userspace data plane): it has no network namespace`,
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
