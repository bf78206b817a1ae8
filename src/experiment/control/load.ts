/** Processor load at the gateways of a VN. */
import { withAgents } from '../../controller/nodes/agents.ts';
import type { NodeName } from '../../model/names.ts';
import type { InstalledVn, Undo } from '../parameters/parameter.ts';
import { accompany } from './companion.ts';

/** Starts busy loops on nodes, on each as many as `loops` says. */
export function loadGateways(loops: ReadonlyMap<NodeName, number>, installed: InstalledVn): Promise<Undo> {
  const scripts = [...loops].map(
    ([node, count]) => [node, `for loop in $(seq ${count}); do (while :; do :; done) & pids="$pids $!"; done`] as const,
  );
  return onNodes(installed, new Map(scripts), 'processor load');
}

/** Runs a script of `accompany` on each of some nodes, over the connections that stay open. */
export async function onNodes(
  { kept, slice }: Pick<InstalledVn, 'kept' | 'slice'>,
  scripts: ReadonlyMap<NodeName, string>,
  what: string,
): Promise<Undo> {
  if (scripts.size === 0) return async () => {};
  const started = await withAgents(kept, slice, [...scripts.keys()], (agents) =>
    Promise.allSettled([...scripts].map(([node, script]) => accompany(agents.get(node), script, what))),
  );
  const undo = async () => {
    const ended = await Promise.allSettled(
      started.map((one) => (one.status === 'fulfilled' ? one.value() : undefined)),
    );
    const fault = ended.find((one) => one.status === 'rejected');
    if (fault !== undefined) throw fault.reason;
  };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed === undefined) return undo;
  await undo().catch(() => {});
  throw failed.reason;
}
