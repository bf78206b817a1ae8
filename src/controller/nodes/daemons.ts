/** How the routing daemons and switches of a slice's routers are, by their agents. */
import type { RouterProgram } from '../../model/daemon.ts';
import { messageOf } from '../../model/errors.ts';
import type { NamespaceName, NodeName, RouterName } from '../../model/names.ts';
import { programOf } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { Adjacency, DaemonReport, DaemonState } from '../../vsys/daemon.ts';
import { type Context, signalOption } from '../base/context.ts';
import type { RecordedVn } from '../batches/desired.ts';
import { namespaceOf } from '../batches/operations.ts';
import type { Agents } from './agents.ts';

export interface DaemonStatus {
  readonly vn: string;
  readonly router: RouterName;
  readonly node: NodeName;
  readonly namespace: NamespaceName;
  /** What the slice file says. */
  readonly kind: RouterProgram;
  /** `absent`: the node does not have it; `unknown`: the node is unreachable. */
  readonly state: DaemonReport['state'] | 'absent' | 'unknown';
  readonly version?: string;
  readonly restarts?: number;
  /** Absent, as `routes`, if the daemon did not answer. */
  readonly adjacencies?: readonly NamedAdjacency[];
  readonly routes?: DaemonState['routes'];
  /** Why something is not known. */
  readonly error?: string;
}

interface NamedAdjacency extends Adjacency {
  /** The neighbour, if it is a router of the VN. */
  readonly router?: RouterName;
}

/**
 * Asks all routing daemons and switches of the recorded VNs, in the order of the slice file. A failure of one is in its
 * status.
 */
export async function daemonsOf(
  context: Pick<Context, 'signal'>,
  agents: Agents,
  recorded: readonly RecordedVn[],
): Promise<DaemonStatus[]> {
  const reports = new Map<NodeName, Promise<readonly DaemonReport[]>>();
  const reportsOf = (node: NodeName) => {
    const known = reports.get(node) ?? readReports(context, agents, node);
    reports.set(node, known);
    return known;
  };
  const asked = recorded.flatMap(({ vn, instances }) =>
    instances.flatMap(({ instance }) =>
      programsOf(vn).map(async ({ router, kind }): Promise<DaemonStatus> => {
        const node = instance.placement.get(router)!;
        const namespace = namespaceOf(instance, router, agents);
        const what = { vn: vn.name, router, node, namespace, kind };
        try {
          const report = (await reportsOf(node)).find((one) => one.namespace === namespace);
          return {
            ...what,
            ...(report === undefined ? { state: 'absent' } : await ask(context, agents, node, report)),
          };
        } catch (error) {
          context.signal?.throwIfAborted();
          return { ...what, state: 'unknown', error: messageOf(error) };
        }
      }),
    ),
  );
  const statuses = await Promise.all(asked);
  const names = recorded.flatMap(({ instances }) => instances.map(({ instance }) => routerAt(instance)));
  return statuses.map((status) => withNames(status, names));
}

function programsOf({ routers }: VirtualNetwork): { readonly router: RouterName; readonly kind: RouterProgram }[] {
  return routers.flatMap((router) => {
    const kind = programOf(router);
    return kind === undefined ? [] : [{ router: router.name, kind }];
  });
}

async function readReports(
  context: Pick<Context, 'signal'>,
  agents: Agents,
  node: NodeName,
): Promise<readonly DaemonReport[]> {
  return (await agents.get(node).call('inventory', {}, signalOption(context))).daemons ?? [];
}

async function ask(
  context: Pick<Context, 'signal'>,
  agents: Agents,
  node: NodeName,
  { namespace, state, restarts, version }: DaemonReport,
): Promise<Omit<DaemonStatus, 'vn' | 'router' | 'node' | 'namespace' | 'kind'>> {
  const own = { state, restarts, ...(version === undefined ? {} : { version }) };
  if (state !== 'running') return own;
  try {
    return { ...own, ...(await agents.get(node).call('daemon_state', { namespace }, signalOption(context))) };
  } catch (error) {
    context.signal?.throwIfAborted();
    return { ...own, error: messageOf(error) };
  }
}

/** The routers of an instance by the addresses of its links, which no other instance has. */
function routerAt({ links }: Instance): Map<string, RouterName> {
  const ends = links.flatMap(({ a, b }) => [a, b]);
  return new Map(ends.flatMap(({ address, router }) => (router === undefined ? [] : [[address, router] as const])));
}

function withNames(status: DaemonStatus, names: readonly ReadonlyMap<string, RouterName>[]): DaemonStatus {
  if (status.adjacencies === undefined) return status;
  const adjacencies = status.adjacencies.map((adjacency) => {
    const router = names.map((byAddress) => byAddress.get(adjacency.address)).find((name) => name !== undefined);
    return router === undefined ? adjacency : { ...adjacency, router };
  });
  return { ...status, adjacencies };
}
