/** Processor load at the gateways of a VN. */
import { withAgents } from '../../controller/nodes/agents.ts';
import type { Gateway } from '../../model/slice.ts';
import type { InstalledVn, Undo } from '../parameters/parameter.ts';
import { accompany } from './companion.ts';

/** Starts so many busy loops on the node of every gateway. */
export function loadGateways(loops: number, installed: InstalledVn): Promise<Undo> {
  const script = `for loop in $(seq ${loops}); do (while :; do :; done) & pids="$pids $!"; done`;
  return atGateways(installed, script, 'processor load');
}

/** Runs a script of `accompany` on the node of every gateway, over the connections that stay open. */
export async function atGateways(
  { kept, slice, vn }: InstalledVn,
  script: string,
  what: string,
  gateways: readonly Gateway[] = vn.gateways,
): Promise<Undo> {
  const nodes = [...new Set(gateways.map(({ node }) => node))];
  const started = await withAgents(kept, slice, nodes, (agents) =>
    Promise.allSettled(nodes.map((node) => accompany(agents.get(node), script, what))),
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
