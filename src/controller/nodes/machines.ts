/** How the virtual machines of a slice's routers are, by their agents. */
import { messageOf } from '../../model/errors.ts';
import type { NamespaceName, NodeName, RouterName } from '../../model/names.ts';
import { isImageRouter } from '../../model/router.ts';
import type { MachineReport } from '../../vsys/machine.ts';
import { type Context, signalOption } from '../base/context.ts';
import type { RecordedVn } from '../batches/desired.ts';
import { namespaceOf } from '../batches/operations.ts';
import type { Agents } from './agents.ts';

export interface MachineStatus {
  readonly vn: string;
  readonly router: RouterName;
  readonly node: NodeName;
  readonly namespace: NamespaceName;
  /** `absent`: the node does not have it; `unknown`: the node is unreachable. */
  readonly state: MachineReport['state'] | 'absent' | 'unknown';
  readonly memoryMib: number;
  readonly restarts?: number;
  /** Whether the guest has answered on every link since it started. */
  readonly answers?: boolean;
  /** Why something is not known, or what a machine that failed has written last. */
  readonly error?: string;
}

/** Asks for all machines of the recorded VNs, in the order of the slice file. */
export async function machinesOf(
  context: Pick<Context, 'signal'>,
  agents: Agents,
  recorded: readonly RecordedVn[],
): Promise<MachineStatus[]> {
  const places = recorded.flatMap(({ vn, instances }) =>
    instances.flatMap(({ instance }) =>
      vn.routers.filter(isImageRouter).map(({ name: router, config }) => ({
        vn: vn.name,
        router,
        node: instance.placement.get(router)!,
        namespace: namespaceOf(instance, router, agents),
        memoryMib: config.memoryMib,
      })),
    ),
  );
  const reports = new Map<NodeName, readonly MachineReport[] | string>();
  await Promise.all(
    [...new Set(places.map(({ node }) => node))].map(async (node) => {
      try {
        const { machines = [] } = await agents.get(node).call('inventory', {}, signalOption(context));
        reports.set(node, machines);
      } catch (error) {
        context.signal?.throwIfAborted();
        reports.set(node, messageOf(error));
      }
    }),
  );
  return places.map((place): MachineStatus => {
    const found = reports.get(place.node)!;
    if (typeof found === 'string') return { ...place, state: 'unknown', error: found };
    const report = found.find(({ namespace }) => namespace === place.namespace);
    if (report === undefined) return { ...place, state: 'absent' };
    const { state, restarts, answers, lastWords } = report;
    return { ...place, state, restarts, answers, ...(lastWords === undefined ? {} : { error: lastWords }) };
  });
}
