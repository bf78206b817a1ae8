/** Whether nodes can run the programs that routers need, and their agents know them. */
import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { isSwitch, routerNames } from '../../model/router.ts';
import type { Placement, VirtualNetwork } from '../../model/slice.ts';
import type { Feature } from '../../vsys/messages.ts';
import { type Agents, combineByNode, hasFeature } from './agents.ts';

const isForSwitches = ({ name }: Feature) => name === 'openvswitch';
const earlierAgent = 'its agent is of an earlier version';
const updateHint = 'update the agent on that node';

/** Throws VnmError `unsupported` for nodes whose agents cannot choose between two places of a switch. */
export function requireSteering(agents: Agents, nodes: Iterable<NodeName>): void {
  const failures = [...new Set(nodes)]
    .filter((node) => !agents.missing.has(node) && !agents.get(node).facts.features.some(isForSwitches))
    .map((node): [string, VnmError] => {
      const message = `a neighbour of a switch that moves cannot follow it: ${earlierAgent}`;
      return [node, new VnmError('unsupported', message, { hint: updateHint })];
    });
  const error = combineByNode(failures);
  if (error !== undefined) throw error;
}

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
      const known = facts.features.find(isForSwitches);
      const why = known === undefined ? earlierAgent : (known.detail ?? 'it cannot be used');
      const hint = known === undefined ? updateHint : 'install openvswitch-switch on that node';
      return [[node, new VnmError('unsupported', `there is no Open vSwitch for router '${router}': ${why}`, { hint })]];
    }),
  );
  const error = combineByNode(failures);
  if (error !== undefined) throw error;
}
