/** Whether nodes can run the programs that routers need. */
import { VnmError } from '../../model/errors.ts';
import { isSwitch, routerNames } from '../../model/router.ts';
import type { Placement, VirtualNetwork } from '../../model/slice.ts';
import { type Agents, combineByNode, hasFeature } from './agents.ts';

/**
 * Throws one VnmError `unsupported` that names every node that is to have a switch and cannot run one. Routing daemons
 * are refused by the nodes themselves.
 */
export function requirePrograms(
  agents: Agents,
  added: readonly { readonly vn: VirtualNetwork; readonly placement: Placement }[],
): void {
  const failures = added.flatMap(({ vn, placement }) =>
    routerNames(vn).flatMap((router): [string, VnmError][] => {
      const node = placement.get(router);
      if (node === undefined || !isSwitch(vn, router) || agents.missing.has(node)) return [];
      const { facts } = agents.get(node);
      if (hasFeature(facts, 'openvswitch')) return [];
      const known = facts.features.find(({ name }) => name === 'openvswitch');
      const why = known === undefined ? 'its agent is of an earlier version' : (known.detail ?? 'it cannot be used');
      const hint = known === undefined ? 'update the agent on that node' : 'install openvswitch-switch on that node';
      return [[node, new VnmError('unsupported', `there is no Open vSwitch for router '${router}': ${why}`, { hint })]];
    }),
  );
  const error = combineByNode(failures);
  if (error !== undefined) throw error;
}
